"""The transport of a connection: ICE finds the way, DTLS makes it private, and the keys go to whom they are for.

Everything of a call travels by it: SRTP and SRTCP beside DTLS (RFC 5764 §5.1.2), and SCTP within (RFC 8261).
"""

import random
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Final

import msgspec

from glottis import dtls, ice
from glottis.contracts.moments import earliest
from glottis.contracts.notes import Note
from glottis.contracts.short_queue import ShortQueue
from glottis.dtls import Certificate, DtlsState, DtlsTransport
from glottis.ice import Credentials, IceAgent, IceState, IceTransport, ProbePolicy
from glottis.peer.events import (
    ConnectionState,
    ConnectionStateChanged,
    PathAuthenticated,
    PathReleased,
    PlaceGivenUp,
    Places,
)
from glottis.peer.settings import PeerSettings
from glottis.peer.succession import Succession
from glottis.sdp import RemoteParameters
from glottis.wire.address import Address, Datagram, Path
from glottis.wire.demux import PacketKind, classify
from glottis.wire.token_bucket import TokenBucket

MAX_EARLY_FLIGHT: Final = 4
"""DTLS datagrams kept until there is an answer; further ones are dropped, for DTLS sends them again. An offerer has to
expect a ClientHello before the answer (RFC 5763 §5); it fills one or two."""

HANDSHAKE_DATAGRAMS_PER_SECOND: Final = 50
HANDSHAKE_DATAGRAMS_AT_ONCE: Final = 100
"""Of DTLS, until the peer has proved who it is: a hello can cost a signature. A handshake takes a dozen of them, twice
that with its repetitions; further ones are dropped, and sent again if they were meant."""


class NoSuccessor(msgspec.Struct, frozen=True):
    """There is no other DTLS association after all, which might have followed on the one that there is or was."""


TransportEvent = (
    PathAuthenticated
    | PathReleased
    | PlaceGivenUp
    | ConnectionStateChanged
    | dtls.Connected
    | dtls.ApplicationData
    | NoSuccessor
    | Note
)


class PeerTransport:
    """One way to the peer, there from the first moment; ``connect`` gives it the peer's description.

    ``ice`` and ``dtls`` are its engines; who changes one of them calls ``advance``, and then drains.

    By an ICE restart (RFC 8445 §9) ``ice`` gets other credentials, while ``dtls`` and all that stands on it goes on. A
    relay (RFC 8656) is one more local candidate of ``ice``. Where a peer gives the bundle another transport, ``dtls``
    is replaced, too, once the peer has proved who it is there; ``dtls.Connected`` is told again then.
    """

    __slots__ = (
        "_early_flight",
        "_events",
        "_goodbyes",
        "_handshaking",
        "_is_dtls_server",
        "_protected",
        "_remote",
        "_succession",
        "certificate",
        "dtls",
        "ice",
        "is_described",
        "state",
    )

    def __init__(
        self,
        settings: PeerSettings,
        *,
        certificate: Certificate,
        local_addresses: Sequence[Address],
        rng: random.Random,
        ice: IceTransport | None = None,
    ) -> None:
        """``ice`` has candidates already; else there is a new one."""
        self.state = ConnectionState.NEW
        self.is_described = False
        """Whether the peer's description is known."""
        policy = ProbePolicy(private_networks=settings.probe_private_addresses)
        self.ice = ice or IceTransport(
            IceAgent(controlling=False, rng=rng, lite=settings.ice_lite, timing=settings.ice_timing, policy=policy)
        )
        for address in local_addresses:
            self.ice.add_local_candidate(address, announced=settings.announced.get(address))
        self.dtls = DtlsTransport(certificate=certificate, client=False)  # until the roles are agreed on
        self.certificate = certificate
        self._is_dtls_server = True
        self._succession = Succession()
        self._remote: Credentials | None = None
        self._handshaking = TokenBucket(HANDSHAKE_DATAGRAMS_PER_SECOND, HANDSHAKE_DATAGRAMS_AT_ONCE, now=0.0)
        self._early_flight: list[bytes] = []
        self._protected: list[bytes] = []
        self._goodbyes: list[Datagram] = []
        self._events: ShortQueue[TransportEvent] = ShortQueue()

    @property
    def is_secure(self) -> bool:
        """Whether the peer has proved who it is, and data can be sent to it."""
        return self.dtls.state is DtlsState.CONNECTED

    @property
    def can_restart(self) -> bool:
        """Whether a restart of ICE can bring the connection back: the peer is known, and has not closed it."""
        return (self.is_secure or self._succession.follows_proven) and self.state is not ConnectionState.CLOSED

    @property
    def selected_path(self) -> Path | None:
        """Where datagrams leave by; None before the peer has been heard and after it was lost."""
        return self.ice.selected_path

    def connect(self, remote: RemoteParameters, *, dtls_client: bool, srtp: bool, now: float) -> None:
        """Go about it, once: the roles of both ends are known now, and who the peer has to be.

        Without ``srtp`` the session is one of data channels only.
        """
        self.is_described = True
        self._is_dtls_server = not dtls_client
        self.dtls = self._new_dtls(remote, srtp=srtp)
        self.reconnect(remote, now)
        self._start_dtls(now)  # if the peer's checks have overtaken its answer
        flight, self._early_flight = self._early_flight, []
        for datagram in flight:
            self.dtls.handle_datagram(datagram, now)

    def _new_dtls(self, remote: RemoteParameters, *, srtp: bool) -> DtlsTransport:
        transport = DtlsTransport(certificate=self.certificate, client=not self._is_dtls_server, srtp=srtp)
        transport.set_remote_fingerprints(remote.fingerprints)
        return transport

    def expect_successor(self, remote: RemoteParameters, *, srtp: bool, now: float) -> bool:
        """The peer may go on by another transport from now on; says whether what stands on this one is to go on by it.

        A peer that is the client may do so while its first handshake is under way, too.
        """
        self.ice.reopen(now)
        is_under_way = self._is_dtls_server and self.dtls.state is DtlsState.CONNECTING
        if is_under_way or self.is_secure or self._succession.is_expected:
            self._note("the far end may begin another handshake, by another transport")
            make = partial(self._new_dtls, remote, srtp=srtp)
            path = self._succession.way(self.selected_path)
            self._succession.expect(make, path, now, follows_proven=self.is_secure)
        return self._succession.is_expected

    def restart(self, credentials: Credentials, now: float) -> None:
        """Be known by these credentials, too, from now on; ``reconnect`` gives those of the peer (RFC 8445 §9)."""
        self.ice.restart(credentials, now)

    def reconnect(self, remote: RemoteParameters, now: float) -> None:
        """A later description of the peer, which has its part in a restart if there is one."""
        credentials = Credentials(remote.ice_ufrag, remote.ice_pwd)
        if credentials != self._remote:
            self._remote = credentials
            self.ice.set_remote_parameters(remote.ice_ufrag, remote.ice_pwd, lite=remote.ice_lite, now=now)

    def count_on(self, before: "PeerTransport") -> None:
        """What that one has counted counts here."""
        self.ice.count_on(before.ice)
        self.dtls.discarded_datagrams += before.dtls.discarded_datagrams

    def send_protected(self, packets: Iterable[bytes]) -> None:
        """Packets of SRTCP, which leave with the next ``datagrams_to_send``."""
        self._protected += packets

    def send_data(self, packets: Iterable[bytes]) -> None:
        """Packets for a DTLS record each; only while ``is_secure``."""
        for packet in packets:
            self.dtls.send(packet)

    def close(self) -> None:
        """Say goodbye; drain once more to send it. Nothing comes after it, nor is anything heard."""
        self._succession.drop()
        self.dtls.close()
        self._goodbyes = self.datagrams_to_send()
        self.state = ConnectionState.CLOSED
        self.ice.close()

    # The engine's verbs

    def handle_datagram(self, data: bytes, path: Path, now: float) -> None:
        """Take STUN from anywhere, and DTLS from authenticated paths only. Never raises."""
        kind = classify(data)
        if kind is PacketKind.STUN:
            self.ice.handle_datagram(data, path, now)
        elif kind is PacketKind.DTLS and self.is_described:
            self._handle_dtls(data, path, now)
        elif kind is PacketKind.DTLS and len(self._early_flight) < MAX_EARLY_FLIGHT:
            self._early_flight.append(data)

    def _handle_dtls(self, data: bytes, path: Path, now: float) -> None:
        if self._succession.takes(data, path, as_server=self._is_dtls_server):
            if self._handshaking.take(now) > 0:
                self.dtls.discarded_datagrams += 1
            elif self._succession.handle_datagram(data, path, now):
                self._note("the far end begins another handshake")
        elif self.is_secure or self._handshaking.take(now) == 0:
            self.dtls.handle_datagram(data, now)
        else:
            self.dtls.discarded_datagrams += 1

    def handle_timeout(self, now: float) -> None:
        """Let the engines do what is due; early calls do no harm."""
        self.ice.handle_timeout(now)
        self.dtls.handle_timeout(now)
        self._succession.handle_timeout(now)
        if self._succession.is_overdue(now):
            self._do_without_successor(self._succession.end)

    def next_timeout(self) -> float | None:
        """The earlier one of the engines'."""
        return earliest(self.ice.next_timeout(), self.dtls.next_timeout(), self._succession.next_timeout())

    def datagrams_to_send(self) -> list[Datagram]:
        """Return and empty what is to be sent now; after the end, the goodbyes."""
        if self.state is ConnectionState.CLOSED:
            goodbyes, self._goodbyes = self._goodbyes, []
            return goodbyes
        outgoing, path = self.ice.datagrams_to_send(), self._succession.way(self.selected_path)
        if path is not None:
            outgoing += [Datagram(data, path) for data in (*self._protected, *self.dtls.datagrams_to_send())]
            self._protected.clear()
        return outgoing + self._succession.datagrams_to_send()

    def next_event(self) -> TransportEvent | None:
        """The oldest event that was not yet told."""
        return self._events.popleft() if self._events else None

    def advance(self, now: float) -> None:
        """Draw the conclusions of what the engines tell, until there is no more."""
        while (next_event := self._succession.next_event()) is not None:
            self._handle_successor(next_event, now)
        while (ice_event := self.ice.next_event()) is not None:
            self._handle_ice_event(ice_event, now)
        while (dtls_event := self.dtls.next_event()) is not None:
            self._handle_dtls_event(dtls_event)
        self._begin_anew(now)

    # From engine to engine

    def _start_dtls(self, now: float) -> None:
        """The first authenticated check is enough: browsers may start DTLS with their very first one."""
        if self.is_described and self.dtls.state is DtlsState.NEW and self.selected_path is not None:
            self.dtls.start(now)
            self._note(
                f"the handshake begins, with the {'far end' if self._is_dtls_server else 'gateway'} as the client"
            )

    def _note(self, sentence: str) -> None:
        self._events.append(Note("dtls", sentence))

    def _handle_ice_event(self, event: ice.IceEvent, now: float) -> None:
        match event:
            case Note():
                self._events.append(event)
            case ice.PathAuthenticated(path, proven):
                self._events.append(PathAuthenticated(path, proven))
            case ice.PathReleased(path):
                self._events.append(PathReleased(path))
            case ice.PathGivenUp():
                self._events.append(PlaceGivenUp(Places.PATHS))
            case ice.SelectedPathChanged(path):
                pair = self.ice.selected_pair
                self._events.append(PathAuthenticated(path, proven=pair is not None and pair.is_proven, selected=True))
                self._start_dtls(now)
            case ice.StateChanged(state, reason):
                self._judge_state(reason if state in (IceState.FAILED, IceState.DISCONNECTED) else "")

    def _begin_anew(self, now: float) -> None:
        """With a peer that waits for it at its new transport."""
        if not self._is_dtls_server and self._succession.goes_by(self.selected_path, now):
            self._note("another handshake begins, with the gateway as the client")

    def _handle_successor(self, event: dtls.DtlsEvent, now: float) -> None:
        match event:
            case dtls.Connected():
                discarded = self.dtls.discarded_datagrams
                is_first = not self._succession.follows_proven
                self.dtls, path = self._succession.finish()
                self.ice.handle_traffic(path, now)  # as media would, it tells which pair the peer uses
                self.dtls.discarded_datagrams += discarded
                self._handle_dtls_event(event)
                if is_first:  # it is no successor for what stands on it
                    self._events.append(NoSuccessor())
            case dtls.Failed(code, reason):
                self._do_without_successor(self._succession.end and f"{code.value}: {reason}")

    def _do_without_successor(self, reason: str) -> None:
        """Go on with what there is, or has ended for this ``reason``."""
        self._note(f"there is no other handshake, or it has failed{': ' * bool(reason)}{reason}")
        self._succession.drop()
        self._events.append(NoSuccessor())
        self._judge_state(reason)

    def _handle_dtls_event(self, event: dtls.DtlsEvent) -> None:
        match event:
            case dtls.Connected():
                self._note("the far end has proved to be the one of its description")
                self._succession.follows_proven = self._succession.is_expected
                self._events.append(event)
                self._judge_state()
            case dtls.ApplicationData():
                self._events.append(event)
            case dtls.Failed(code, reason):
                self._note(f"the handshake or the connection has failed, {code.value}: {reason}")
                self._end(f"{code.value}: {reason}")
            case dtls.Closed():
                self._note("the far end has closed the connection")
                self._end("the peer has closed the connection")

    def _end(self, reason: str) -> None:
        """The end of the association, but not of the connection while another one may follow on it."""
        if self._succession.is_expected:
            self._succession.end = reason
        else:
            self._judge_state(reason)

    def _judge_state(self, reason: str = "") -> None:
        dtls_state = self.dtls.state
        if self._succession.end:
            dtls_state = DtlsState.CONNECTED if self._succession.follows_proven else DtlsState.CONNECTING
        state = state_of(self.ice.state, dtls_state)
        if state is not self.state:
            self.state = state
            self._events.append(ConnectionStateChanged(state, reason))


def state_of(ice_state: IceState, dtls_state: DtlsState) -> ConnectionState:
    """Both taken together, as W3C webrtc §4.3.3 does it; who says close_notify has closed the connection."""
    if dtls_state is DtlsState.CLOSED:
        return ConnectionState.CLOSED
    if ice_state is IceState.FAILED or dtls_state is DtlsState.FAILED:
        return ConnectionState.FAILED
    if ice_state is IceState.DISCONNECTED:
        return ConnectionState.DISCONNECTED
    if ice_state in (IceState.CONNECTED, IceState.COMPLETED) and dtls_state is DtlsState.CONNECTED:
        return ConnectionState.CONNECTED
    return ConnectionState.NEW if ice_state is IceState.NEW else ConnectionState.CONNECTING
