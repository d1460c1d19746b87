"""A peer connection: descriptions, transport, audio and data channels, with one merged timeout and one queue of events.

The transport carries everything. What it authenticates and has keyed reaches the audio and the data channels. The order
of a call is that of the methods: describe, check, shake hands, talk.
"""

import random
from collections.abc import Sequence
from typing import Protocol

from glottis import rtp
from glottis.contracts.moments import earliest
from glottis.contracts.short_queue import ShortQueue
from glottis.contracts.statistics import Statistics
from glottis.dtls import Certificate
from glottis.ice import generate_credentials
from glottis.peer.audio import AudioTrack
from glottis.peer.candidates import SignalledCandidates
from glottis.peer.data import DataTrack
from glottis.peer.events import (
    ConnectionState,
    PeerEvent,
)
from glottis.peer.layers import Layers
from glottis.peer.negotiator import Negotiator
from glottis.peer.settings import PeerSettings
from glottis.peer.statistics import collect
from glottis.peer.transport import PeerTransport
from glottis.peer.trickle import Trickle
from glottis.peer.waiting_track import WaitingTrack
from glottis.sctp import DataChannelEvent, DataChannels
from glottis.sdp import Negotiation
from glottis.wire.address import Address, Datagram, Path

PeerConnectionEvent = PeerEvent | DataChannelEvent

_REFUSED, _REPORT, _NEWS = rtp.Taken.REFUSED, rtp.Taken.REPORT, rtp.Taken.NEWS
"""Looked up once, and not for each packet: a member of an enum takes as long as a dozen other attributes."""


class _Engine(Protocol):
    def handle_timeout(self, now: float) -> None: ...
    def next_timeout(self) -> float | None: ...


class PeerConnection:
    """One end of a call. The owner drains ``datagrams_to_send`` and ``next_event`` after each call of a method.

    ``voice`` is the audio; ``local_candidates`` and ``remote_candidates`` are where candidates are added that no
    description has. ``local_addresses`` are those of the owner's sockets, the most preferred first.
    """

    def __init__(
        self,
        settings: PeerSettings,
        *,
        certificate: Certificate,
        local_addresses: Sequence[Address],
        rng: random.Random,
        replaces: "PeerConnection | None" = None,
    ) -> None:
        """See ``another`` of what ``replaces`` one."""
        self._events: ShortQueue[PeerConnectionEvent] = ShortQueue()
        ice = None if replaces is None else replaces.transport.ice.for_another_peer(generate_credentials(rng))
        self.transport: PeerTransport = PeerTransport(
            settings, certificate=certificate, local_addresses=local_addresses, rng=rng, ice=ice
        )
        self._negotiator = Negotiator(settings, certificate, self.transport.ice, rng, self._events.append)
        if replaces is not None:
            self._negotiator.go_on_from(replaces._negotiator)
        make_track = AudioTrack if replaces is None else WaitingTrack
        self.voice = make_track(settings, self._negotiator.track, rng)
        self._data = DataTrack(settings, rng)
        self._layers = layers = Layers(self.transport, self.voice, self._data, self._events.append)
        candidates = self.transport.ice, self._negotiator, self._events.append, layers.advance
        self.local_candidates = Trickle(*candidates)
        self.remote_candidates = SignalledCandidates(*candidates)

    @property
    def channels(self) -> DataChannels | None:
        """Set once data channels were agreed on."""
        return self._data.channels

    @property
    def state(self) -> ConnectionState:
        """That of the transport."""
        return self.transport.state

    @property
    def local_ufrags(self) -> tuple[str, ...]:
        """By which checks for this connection are known: the present one and, while ICE restarts, that before."""
        return self.transport.ice.local_ufrags

    def another(self) -> "PeerConnection":
        """For a peer that begins anew with another connection (``AnotherPeer``): with our candidates, and no audio yet.

        Once it is connected it can ``take_over``; this one may go on until then.
        """
        certificate, voice = self.transport.certificate, self.voice
        return PeerConnection(voice.settings, certificate=certificate, local_addresses=(), rng=voice.rng, replaces=self)

    def take_over(self, before: "PeerConnection", now: float) -> None:
        """The audio of ``before`` goes on here, in the same stream, and what was counted. Then ``before`` has none."""
        waiting, voice = self.voice, before.voice
        self._have(voice)
        before._have(waiting)
        if isinstance(waiting, WaitingTrack):
            waiting.hand_to(voice, now)
        self.transport.count_on(before.transport)
        self._data.count_on(before._data)

    def _have(self, voice: AudioTrack) -> None:
        self.voice = self._layers.voice = voice

    # Offer and answer (RFC 9429)

    def accept_offer_untrusted(self, sdp: str, now: float) -> str:
        """Answer an offer, the first or a later one. Raises ``Malformed`` or ``OfferRefused``; then nothing changes."""
        negotiation = self._negotiator.accept_offer_untrusted(sdp, loses_packets=self.voice.loses_packets)
        self._restart(now)
        self.local_candidates.are_described()
        self._apply(negotiation, now)
        return str(negotiation.description)

    def make_offer(self) -> str:
        """Describe what we want; later offers are made by the side that has made the first."""
        offer = self._negotiator.make_offer()
        self.local_candidates.are_described()
        return offer

    def make_restart_offer(self, now: float) -> str:
        """The same, and look for a new way beside that which there is, or was (RFC 8445 §9)."""
        offer = self._negotiator.make_offer(ice_restart=True)
        self._restart(now)
        self.local_candidates.are_described()
        return offer

    def accept_answer_untrusted(self, sdp: str, now: float) -> None:
        """Take the answer to our offer. Raises ``Malformed`` or ``AnswerRefused``."""
        self._apply(self._negotiator.accept_answer_untrusted(sdp), now)

    def _restart(self, now: float) -> None:
        """If the description that was made says so: the peer's checks may come before anything else."""
        if self._negotiator.restarting is not None:
            self.transport.restart(self._negotiator.restarting, now)
            self._layers.advance(now)

    def _apply(self, agreed: Negotiation, now: float) -> None:
        self.voice.negotiate(agreed.audio, now)
        srtp = agreed.audio is not None
        if self.transport.is_described:
            if self._negotiator.has_moved and self.transport.expect_successor(agreed.remote, srtp=srtp, now=now):
                self._data.expect_successor()
            self.transport.reconnect(agreed.remote, now)
        else:
            self.transport.connect(agreed.remote, dtls_client=agreed.dtls_client, srtp=srtp, now=now)
        self.remote_candidates.describe(agreed, now)
        self._data.negotiate(agreed.data, dtls_client=agreed.dtls_client, now=now)
        self._layers.advance(now)

    # The engine's verbs

    def handle_datagram(self, data: bytes, path: Path, now: float) -> bool:
        """Take a datagram: STUN from anywhere, the rest from authenticated paths only. Never raises.

        Says whether there may be something to drain, or playout is to begin: not after most packets of media, which
        wait for the media tick, nor after most reports.
        """
        if data[0] > 127:  # RFC 7983 §7, in place because it is every fiftieth of a second
            taken = self.voice.session.handle_datagram(data, now)
            if taken is _REFUSED:
                return False
            # What is authentic is a sign of life on its path.
            if not self.transport.ice.handle_traffic(path, now) and taken is not _NEWS:
                if taken is _REPORT:
                    self._layers.heed_reports(now)
                return bool(self._events)
        else:
            self.transport.handle_datagram(data, path, now)
        self._layers.advance(now)
        return True

    def handle_timeout(self, now: float) -> None:
        """Let every engine do what is due."""
        for engine in self._engines:
            timeout = engine.next_timeout()
            if timeout is not None and timeout <= now:
                engine.handle_timeout(now)
        self._layers.advance(now)

    def next_timeout(self) -> float | None:
        """The earliest moment that any engine waits for."""
        return earliest(*[engine.next_timeout() for engine in self._engines])

    def datagrams_to_send(self) -> list[Datagram]:
        """What is to be sent now, media aside."""
        self._layers.hand_down()
        return self.transport.datagrams_to_send()

    def media_to_send(self, now: float) -> list[Datagram]:
        """The SRTP packets of this media tick."""
        path = self.transport.ice.selected_path
        if path is None:
            return []
        packets = self.voice.session.packets_to_send(now)
        if not packets:
            return []
        if len(packets) == 1:  # as nearly always
            return [tuple.__new__(Datagram, (packets[0], path))]  # as ``Datagram`` itself does, one function later
        return [Datagram(packet, path) for packet in packets]

    def next_event(self, *, wants_messages: bool = True) -> PeerConnectionEvent | None:
        """The oldest event that was not yet told; those of data channels come last.

        Unless they are wanted, what was received waits in the association, whose window holds the peer back, and only
        what has become of what was sent is told.
        """
        if self._events:
            return self._events.popleft()
        return self._data.next_event(wants_messages=wants_messages)

    def statistics(self, now: float) -> Statistics:
        """What was counted so far."""
        if self._negotiator.current is None:
            return Statistics()
        return collect(self.transport.ice, self.transport.dtls, self.voice, self.channels, now)

    def close(self, now: float) -> None:
        """Say goodbye on every layer: RTCP BYE, SCTP ABORT, DTLS close_notify; drain once more to send it."""
        if self.state is ConnectionState.CLOSED:
            return
        self.voice.session.close(now)
        self._data.close()
        self._layers.hand_down()
        self.transport.close()

    @property
    def _engines(self) -> tuple[_Engine, ...]:
        return () if self.state is ConnectionState.CLOSED else (self.transport, self.voice.session, self._data)
