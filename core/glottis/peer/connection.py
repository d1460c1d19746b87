"""A peer connection: descriptions, transport, audio and data channels, with one merged timeout and one queue of events.

The transport carries everything. What it authenticates and has keyed reaches the audio and the data channels. The order
of a call is that of the methods: describe, check, shake hands, talk.
"""

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Protocol

from glottis import dtls, rtp
from glottis.contracts.moments import earliest
from glottis.contracts.notes import Note
from glottis.contracts.short_queue import ShortQueue
from glottis.contracts.statistics import Statistics
from glottis.dtls import Certificate
from glottis.ice import IceState
from glottis.peer.audio import AudioTrack
from glottis.peer.candidates import SignalledCandidates
from glottis.peer.connectivity import Connectivity, connectivity_of
from glottis.peer.data import DataTrack
from glottis.peer.events import (
    ConnectionState,
    LinesSkipped,
    LocalCandidate,
    LocalCandidatesEnded,
    PeerEvent,
    PlaceGivenUp,
    Places,
)
from glottis.peer.negotiator import Negotiator
from glottis.peer.settings import PeerSettings
from glottis.peer.statistics import collect
from glottis.peer.transport import NoSuccessor, PeerTransport
from glottis.sctp import DataChannelEvent, DataChannels
from glottis.sdp import Candidate, Negotiation, SessionDescription, parse_session_description_untrusted
from glottis.wire.address import Address, Datagram, Path

PeerConnectionEvent = PeerEvent | DataChannelEvent

MAX_TOLD_LINES: Final = 20
"""Skipped lines of a description that the owner is told."""
_REFUSED, _REPORT, _NEWS = rtp.Taken.REFUSED, rtp.Taken.REPORT, rtp.Taken.NEWS
"""Looked up once, and not for each packet: a member of an enum takes as long as a dozen other attributes."""


class _Engine(Protocol):
    def handle_timeout(self, now: float) -> None: ...
    def next_timeout(self) -> float | None: ...


class PeerConnection:
    """One end of a call. The owner drains ``datagrams_to_send`` and ``next_event`` after each call of a method.

    ``voice`` is the audio. ``local_addresses`` are those of the owner's sockets, the most preferred first.
    """

    def __init__(
        self,
        settings: PeerSettings,
        *,
        certificate: Certificate,
        local_addresses: Sequence[Address],
        rng: random.Random,
    ) -> None:
        self._events: ShortQueue[PeerConnectionEvent] = ShortQueue()
        self.transport = PeerTransport(settings, certificate=certificate, local_addresses=local_addresses, rng=rng)
        self._negotiator = Negotiator(settings, certificate, self.transport.ice, rng)
        self._candidates = SignalledCandidates(self.transport.ice, self._events.append)
        self.voice = AudioTrack(settings, self._negotiator.track, rng)
        self._data = DataTrack(settings, rng)
        self._ended_ufrag = ""
        """That of the generation whose end of candidates the peer is told."""

    @property
    def channels(self) -> DataChannels | None:
        """Set once data channels were agreed on."""
        return self._data.channels

    @property
    def state(self) -> ConnectionState:
        """That of the transport."""
        return self.transport.state

    @property
    def negotiation(self) -> Negotiation | None:
        """The last one that succeeded."""
        return self._negotiator.current

    @property
    def local_ufrag(self) -> str:
        """By which checks for this connection are known; while ICE restarts, by that before, too."""
        return self.transport.ice.local_ufrag

    @property
    def local_ufrags(self) -> tuple[str, ...]:
        """``local_ufrag`` and that before, while ICE restarts."""
        return self.transport.ice.local_ufrags

    @property
    def can_restart(self) -> bool:
        """Whether a restart of ICE can bring it back, if it has failed."""
        return self.transport.can_restart

    @property
    def media_heard_at(self) -> float | None:
        """When the last authentic RTP packet came. RTCP is no media: it comes from who has stopped talking, too."""
        return self.voice.session.heard_at

    # Offer and answer (RFC 9429)

    def accept_offer_untrusted(self, sdp: str, now: float) -> str:
        """Answer an offer, the first or a later one. Raises ``Malformed`` or ``OfferRefused``; then nothing changes."""
        offer = self._read_untrusted(sdp)
        negotiation = self._negotiator.accept_offer_untrusted(offer, loses_packets=self.voice.loses_packets)
        self._events.append(Note("sdp", f"the far end's offer is answered: {negotiation}"))
        self._events.append(Note("ice", self._own_candidates()))
        self._restart(now)
        self._note_end()
        self._apply(negotiation, now)
        return str(negotiation.description)

    def make_offer(self) -> str:
        """Describe what we want; later offers are made by the side that has made the first."""
        offer = self._negotiator.make_offer()
        self._note_end()
        return offer

    def make_restart_offer(self, now: float) -> str:
        """The same, and look for a new way beside that which there is, or was (RFC 8445 §9)."""
        offer = self._negotiator.make_offer(ice_restart=True)
        self._restart(now)
        self._note_end()
        return offer

    def accept_answer_untrusted(self, sdp: str, now: float) -> None:
        """Take the answer to our offer. Raises ``Malformed`` or ``AnswerRefused``."""
        negotiation = self._negotiator.accept_answer_untrusted(self._read_untrusted(sdp))
        self._events.append(Note("sdp", f"our offer was answered: {negotiation}"))
        self._apply(negotiation, now)

    def add_local_address(self, address: Address) -> None:
        """One that was not there at first. Once there is a description, its candidate is trickled (RFC 8838)."""
        self._trickle(self.transport.ice.add_local_candidate(address))

    def listen_on_stream(self, address: Address, announced: Sequence[Address]) -> None:
        """Be reached over TCP (RFC 6544) at ``address``, by which the owner accepts connections; the peer is told
        ``announced``. Before there is a description.
        """
        self.transport.ice.add_stream_candidate(address, "passive", announced=announced)

    def connect_by_stream(self, address: Address) -> None:
        """Reach the peer over TCP, too, where it listens: from ``address``, whose port means nothing."""
        self.transport.ice.add_stream_candidate(address, "active", announced=())

    def add_reflexive_address(self, address: Address, *, base: Address, server: str) -> None:
        """What ``server`` has seen of ``base``; the same. It comes too late after ``end_local_candidates``."""
        if not self._negotiator.has_gathered:
            candidate = self.transport.ice.add_reflexive_candidate(address, base=base, server=server)
            if candidate is not None:
                self._trickle(candidate)

    def add_relayed_address(self, address: Address, *, mapped: Address | None, server: str) -> None:
        """What ``server`` lends, which has seen ``mapped`` of us; the same, but the next restart may use it."""
        candidate = self.transport.ice.add_relayed_candidate(address, mapped=mapped, server=server)
        if candidate is not None:
            self._trickle(candidate)

    def remove_relayed_address(self, address: Address, now: float) -> None:
        """It is lent no more. Others may be found, for the next restart of ICE at the latest."""
        self.transport.ice.remove_relayed_candidate(address, now)
        self._negotiator.has_gathered = False
        if self.transport.ice.state is IceState.CHECKING:
            self._ended_ufrag = ""  # against RFC 8838 §13, but without another candidate there may be no way at all
        self._advance(now)

    def end_local_candidates(self) -> None:
        """There will be no others: said in the description, or trickled after it (RFC 8838 §13)."""
        if not self._negotiator.has_gathered:
            self._negotiator.has_gathered = True
            if self.is_described and self._can_trickle:
                self._note_end()
                self._events.append(LocalCandidatesEnded(*self._negotiator.tagged_section))

    @property
    def is_described(self) -> bool:
        """Whether the peer has, or can have, a description of ours."""
        return self._negotiator.has_described

    def _trickle(self, candidate: Candidate) -> None:
        if self.is_described and self._can_trickle:
            self._events.append(Note("ice", f"the far end is told of {candidate}"))
            self._events.append(LocalCandidate(candidate, *self._negotiator.tagged_section))

    @property
    def _can_trickle(self) -> bool:
        """Nothing follows the end of candidates in its generation (RFC 8838 §13)."""
        return self._ended_ufrag != self.local_ufrag

    def _note_end(self) -> None:
        """If the peer is told of it."""
        if self._negotiator.has_gathered:
            self._ended_ufrag = self.local_ufrag

    def add_remote_candidate_untrusted(
        self, text: str, *, mid: str | None, media_index: int | None, username_fragment: str | None, now: float
    ) -> None:
        """Take a trickled candidate; see ``SignalledCandidates.add_untrusted``."""
        self._candidates.add_untrusted(
            text,
            self._negotiator.current,
            mid=mid,
            media_index=media_index,
            username_fragment=username_fragment,
            now=now,
        )
        self._advance(now)

    def add_found_address(self, candidate: Candidate, host: str, now: float) -> None:
        """A candidate behind a name (``NameSignalled``) has this IP address, and is taken like any other."""
        self.transport.ice.add_remote_candidates([replace(candidate, address=host)], now)
        self._advance(now)

    def _read_untrusted(self, sdp: str) -> SessionDescription:
        """Tell what was skipped, be the rest accepted or refused. Raises ``Malformed``."""
        description = parse_session_description_untrusted(sdp)
        if description.skipped:
            self._events.append(LinesSkipped(description.skipped[:MAX_TOLD_LINES]))
        return description

    def _own_candidates(self) -> str:
        told = ", ".join(map(str, self.transport.ice.local_candidates)) or "no candidates yet"
        return f"the far end is told of {told}{'; there are no more' if self._negotiator.has_gathered else ''}"

    def _restart(self, now: float) -> None:
        """If the description that was made says so: the peer's checks may come before anything else."""
        if self._negotiator.restarting is not None:
            self.transport.restart(self._negotiator.restarting, now)
            self._advance(now)

    def _apply(self, agreed: Negotiation, now: float) -> None:
        if agreed.audio is not None:
            self.voice.negotiate(agreed.audio, now)
        else:
            self.voice.stop()
        srtp = agreed.audio is not None
        if self.transport.is_described:
            if self._negotiator.has_moved and self.transport.expect_successor(agreed.remote, srtp=srtp, now=now):
                self._data.expect_successor()
            self.transport.reconnect(agreed.remote, now)
        else:
            self.transport.connect(agreed.remote, dtls_client=agreed.dtls_client, srtp=srtp, now=now)
        self._candidates.describe(agreed, now)
        if agreed.data is not None:
            self._data.negotiate(agreed.data, dtls_client=agreed.dtls_client, now=now)
        else:
            self._data.stop()
        self._advance(now)

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
                    self._heed_reports(now)
                return bool(self._events)
        else:
            self.transport.handle_datagram(data, path, now)
        self._advance(now)
        return True

    def handle_timeout(self, now: float) -> None:
        """Let every engine do what is due."""
        for engine in self._engines:
            timeout = engine.next_timeout()
            if timeout is not None and timeout <= now:
                engine.handle_timeout(now)
        self._advance(now)

    def next_timeout(self) -> float | None:
        """The earliest moment that any engine waits for."""
        return earliest(*[engine.next_timeout() for engine in self._engines])

    def datagrams_to_send(self) -> list[Datagram]:
        """What is to be sent now, media aside."""
        self._hand_down()
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
        if self.negotiation is None:
            return Statistics()
        return collect(self.transport.ice, self.transport.dtls, self.voice, self.channels, now)

    def connectivity(self) -> Connectivity:
        """How far it has come, for a person who looks for the reason of a failure."""
        return connectivity_of(self.transport)

    def close(self, now: float) -> None:
        """Say goodbye on every layer: RTCP BYE, SCTP ABORT, DTLS close_notify; drain once more to send it."""
        if self.state is ConnectionState.CLOSED:
            return
        self.voice.session.close(now)
        self._data.close()
        self._hand_down()
        self.transport.close()

    @property
    def _engines(self) -> tuple[_Engine, ...]:
        return () if self.state is ConnectionState.CLOSED else (self.transport, self.voice.session, self._data)

    # From layer to layer

    def _advance(self, now: float) -> None:
        """Carry the engines' events upwards, until there are no more."""
        self.transport.advance(now)
        while (event := self.transport.next_event()) is not None:
            match event:
                case dtls.Connected(keys):
                    self.voice.set_keys(keys, now)
                    self._data.connect(now)
                case dtls.ApplicationData(data):
                    self._data.handle_datagram(data, now)
                case NoSuccessor():
                    self._data.do_without_successor()
                case _:
                    self._events.append(event)
        self._heed_reports(now)

    def _heed_reports(self, now: float) -> None:
        """What the peer says of the media may change how we encode."""
        while (report := self.voice.session.next_event()) is not None:
            match report:
                case rtp.ReportReceived() | rtp.PathReported() | rtp.BitrateLimited():
                    pair = self.transport.ice.selected_pair
                    self.voice.handle_report(report, pair.current_round_trip_time if pair else None, now)
                case rtp.SourceRetired():
                    self._events.append(PlaceGivenUp(Places.SOURCES))

    def _hand_down(self) -> None:
        """SRTCP goes as it is, SCTP in DTLS."""
        if self.transport.selected_path is not None:
            self.transport.send_protected(self.voice.session.datagrams_to_send())
            if self.transport.is_secure:
                self.transport.send_data(self._data.datagrams_to_send())
