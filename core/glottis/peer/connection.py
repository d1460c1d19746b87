"""A peer connection: the engines composed, with one merged timeout and one queue of events.

ICE carries everything. What it authenticates reaches DTLS, and what DTLS has keyed reaches RTP and SCTP. The order of a
call is that of the methods: describe, check, shake hands, talk.
"""

import random
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple, Protocol

from glottis import dtls, ice, rtp
from glottis.contracts.errors import LocalError, Malformed
from glottis.dtls import Certificate, DtlsState, DtlsTransport
from glottis.ice import IceAgent, IceState, ProbePolicy
from glottis.peer.audio import AudioTrack
from glottis.peer.events import (
    CandidateUnmatched,
    ConnectionState,
    ConnectionStateChanged,
    LinesSkipped,
    LocalCandidate,
    PathAuthenticated,
    PeerEvent,
)
from glottis.peer.negotiator import Negotiator
from glottis.peer.settings import PeerSettings
from glottis.peer.statistics import Statistics, collect
from glottis.rtp import SrtpSession
from glottis.sctp import DataChannelEvent, DataChannels
from glottis.sdp import (
    SCTP_PORT,
    Candidate,
    NegotiatedData,
    Negotiation,
    RemoteParameters,
    SessionDescription,
    parse_candidate_untrusted,
    parse_session_description_untrusted,
)
from glottis.wire.address import Address, Datagram, Path
from glottis.wire.demux import PacketKind, classify
from glottis.wire.rtcp import is_rtcp
from glottis.wire.srtp_keys import SrtpKeys

PeerConnectionEvent = PeerEvent | DataChannelEvent

MAX_EARLY_CANDIDATES = 32
"""Usable trickled candidates kept until there is a description; further ones are ignored, as ICE could use no more."""
MAX_TOLD_LINES = 20
"""Skipped lines of a description that the owner is told."""
MAX_EARLY_FLIGHT = 4
"""DTLS datagrams kept until there is an answer; further ones are dropped, for DTLS sends them again. An offerer has to
expect a ClientHello before the answer (RFC 5763 §5); it fills one or two."""


class _Trickled(NamedTuple):
    """A candidate and what says whose it is; without one it is the end of candidates."""

    candidate: Candidate | None
    mid: str | None
    media_index: int | None


class _Engine(Protocol):
    def handle_timeout(self, now: float) -> None: ...
    def next_timeout(self) -> float | None: ...


class PeerConnection:
    """One end of a call. The owner drains ``datagrams_to_send`` and ``next_event`` after each call of a method.

    ``voice`` is the audio; ``channels`` is set once data channels were agreed on. ``local_addresses`` are those of the
    owner's sockets, the most preferred first.
    """

    def __init__(
        self,
        settings: PeerSettings,
        *,
        certificate: Certificate,
        local_addresses: Sequence[Address],
        rng: random.Random,
    ) -> None:
        self.state = ConnectionState.NEW
        self._settings = settings
        self._certificate = certificate
        self._local_addresses = local_addresses
        self._rng = rng
        self._policy = ProbePolicy(private_networks=settings.probe_private_addresses)
        self._negotiator = Negotiator(settings, certificate, rng, self._is_usable)
        self.voice = AudioTrack(settings, self._negotiator.track, rng)
        self.channels: DataChannels | None = None
        self.wants_messages: Callable[[], bool] = lambda: True
        """While false, what data channels receive waits in the association, and its window holds the peer back."""
        self._ice: IceAgent | None = None
        self._dtls: DtlsTransport | None = None
        self._srtp_keys: SrtpKeys | None = None
        self._early: list[_Trickled] = []
        self._ignored_early = 0
        self._early_flight: list[bytes] = []
        self._goodbyes: list[Datagram] = []
        self._events: deque[PeerConnectionEvent] = deque()

    @property
    def media_heard_at(self) -> float | None:
        """When the last authentic RTP packet came. RTCP is no media: it comes from who has stopped talking, too."""
        return self.voice.session.heard_at if self.voice.session is not None else None

    # Offer and answer (RFC 9429)

    @property
    def negotiation(self) -> Negotiation | None:
        """The last one that succeeded."""
        return self._negotiator.current

    @property
    def local_ufrag(self) -> str | None:
        """By which checks for this connection are known; None before there is a description."""
        return self._ice.local_ufrag if self._ice else None

    def accept_offer_untrusted(self, sdp: str, now: float) -> str:
        """Answer an offer, the first or a later one. Raises ``Malformed`` or ``OfferRefused``; then nothing changes."""
        offer = self._read_untrusted(sdp)
        agent = self._ice or self._new_ice_agent(controlling=False)
        first = self.negotiation is None
        negotiation = self._negotiator.accept_offer_untrusted(offer, agent, self.voice.format_in_use)
        self._ice = agent
        self._apply(negotiation, now, first=first)
        return str(negotiation.description)

    def make_offer(self) -> str:
        """Describe what we want, once: later offers are the other side's to make."""
        if self._ice is not None:
            raise LocalError("this connection has been described already")
        self._ice = self._new_ice_agent(controlling=True)
        return self._negotiator.make_offer(self._ice)

    def accept_answer_untrusted(self, sdp: str, now: float) -> None:
        """Take the answer to our offer. Raises ``Malformed`` or ``AnswerRefused``."""
        self._apply(self._negotiator.accept_answer_untrusted(self._read_untrusted(sdp)), now, first=True)

    def add_local_address(self, address: Address) -> None:
        """A socket that was not there at first. Once there is a description, its candidate is trickled (RFC 8838)."""
        self._local_addresses = [*self._local_addresses, address]
        if self._ice is not None:
            candidate = self._ice.add_local_candidate(address)
            mid, media_index = self._negotiator.tagged_section
            self._events.append(LocalCandidate(candidate, mid, media_index))

    def add_remote_candidate_untrusted(
        self, text: str, *, mid: str | None, media_index: int | None, username_fragment: str | None, now: float
    ) -> None:
        """Take a trickled candidate, or the end of candidates if ``text`` is empty.

        Those that come before the description are kept. Those that cannot be used are ignored and counted, be it that
        they cannot be read or are of an older generation (RFC 8839 §5.1, RFC 8838 §10).
        """
        try:
            candidate = parse_candidate_untrusted(text) if text else None
        except Malformed:
            self._ignore_candidates(1, now)
            return
        if candidate is not None and username_fragment and candidate.username_fragment is None:
            candidate = replace(candidate, username_fragment=username_fragment)
        trickled = _Trickled(candidate, mid, media_index)
        if self.negotiation is not None:
            self._add_remote_candidate(trickled, now)
        elif trickled not in self._early:
            self._keep_early(trickled, now)

    def _read_untrusted(self, sdp: str) -> SessionDescription:
        """Tell what was skipped, be the rest accepted or refused. Raises ``Malformed``."""
        description = parse_session_description_untrusted(sdp)
        if description.skipped:
            self._events.append(LinesSkipped(description.skipped[:MAX_TOLD_LINES]))
        return description

    def _keep_early(self, trickled: _Trickled, now: float) -> None:
        """Until there is a description; what is of no use takes no place."""
        is_usable = trickled.candidate is None or self._is_usable(trickled.candidate)
        if is_usable and len(self._early) < MAX_EARLY_CANDIDATES:
            self._early.append(trickled)
        else:
            self._ignore_candidates(1, now)

    def _is_usable(self, candidate: Candidate) -> bool:
        return self._policy.permits_any(self._local_addresses, candidate)

    def _new_ice_agent(self, *, controlling: bool) -> IceAgent:
        agent = IceAgent(
            controlling=controlling,
            rng=self._rng,
            lite=self._settings.ice_lite,
            policy=self._policy,
        )
        for address in self._local_addresses:
            agent.add_local_candidate(address)
        return agent

    def _apply(self, negotiation: Negotiation, now: float, *, first: bool) -> None:
        if negotiation.audio is not None:
            self.voice.negotiate(negotiation.audio)
            self._start_voice(now)
        else:
            self.voice.stop()
        if first:
            self._begin(negotiation, now)
        else:
            self._add_described_candidates(negotiation.remote, now)
        if negotiation.data is not None and self.channels is None:
            self._open_association(negotiation, negotiation.data, now)

    def _begin(self, negotiation: Negotiation, now: float) -> None:
        assert self._ice is not None
        remote = negotiation.remote
        self._dtls = DtlsTransport(
            certificate=self._certificate, client=negotiation.dtls_client, srtp=negotiation.audio is not None
        )
        self._dtls.set_remote_fingerprints(remote.fingerprints)
        self._ice.set_remote_parameters(remote.ice_ufrag, remote.ice_pwd, lite=remote.ice_lite, now=now)
        self._add_described_candidates(remote, now)
        self._ice.ignore_candidates(self._ignored_early, now)
        early, self._early = self._early, []
        for trickled in early:
            self._add_remote_candidate(trickled, now)
        if self._ice.selected_path is not None:  # the peer's checks have overtaken its answer
            self._dtls.start(now)
        flight, self._early_flight = self._early_flight, []
        for datagram in flight:
            self._dtls.handle_datagram(datagram, now)
        self._advance(now)

    def _start_voice(self, now: float) -> None:
        """Once there are both keys and audio, whichever came first."""
        if self._srtp_keys is not None and self.voice.session is not None:
            self.voice.session.start(SrtpSession(self._srtp_keys), now)
            self._srtp_keys = None

    def _open_association(self, negotiation: Negotiation, data: NegotiatedData, now: float) -> None:
        """Data channels, from the first negotiation or a later one on (RFC 8841 §10.2)."""
        self.channels = DataChannels(
            dtls_client=negotiation.dtls_client,
            rng=self._rng,
            local_port=SCTP_PORT,
            remote_port=data.sctp_port,
            max_message_size=self._settings.max_message_size or 0,
            remote_max_message_size=data.max_message_size or 0,
        )
        if self._dtls is not None and self._dtls.state is DtlsState.CONNECTED:
            self.channels.connect(now)

    def _add_described_candidates(self, remote: RemoteParameters, now: float) -> None:
        """Those of the description, also of a later one, where some peers put what they do not trickle."""
        assert self._ice is not None
        self._ice.ignore_candidates(remote.ignored_candidates, now)
        for candidate in remote.candidates:
            self._ice.add_remote_candidate(candidate, now)
        if remote.end_of_candidates:
            self._ice.end_of_candidates(now)

    def _add_remote_candidate(self, trickled: _Trickled, now: float) -> None:
        """Only candidates of the bundle's tagged section count: the others' ports are closed (RFC 9143 §7.1.3)."""
        assert self._ice is not None
        assert self.negotiation is not None
        candidate, mid, media_index = trickled
        section = self.negotiation.section_of(mid, media_index)
        if section is None and candidate is not None:
            self._events.append(CandidateUnmatched())
            self._ignore_candidates(1, now)
        if section != self.negotiation.remote.media_index:
            return
        if candidate is None:
            self._ice.end_of_candidates(now)
        else:
            self._ice.add_remote_candidate(candidate, now)
        self._advance(now)

    def _ignore_candidates(self, count: int, now: float) -> None:
        if self._ice is None:
            self._ignored_early += count
        else:
            self._ice.ignore_candidates(count, now)
            self._advance(now)

    # The engine's verbs

    def handle_datagram(self, data: bytes, path: Path, now: float) -> bool:
        """Take a datagram: STUN from anywhere, the rest from authenticated paths only. Never raises.

        Says whether there may be something to drain: not after most packets of media, which wait for the media tick.
        """
        if data[0] > 127:  # RFC 7983 §7, in place because it is every fiftieth of a second
            return self._handle_media(data, path, now)
        kind = classify(data)
        if kind is PacketKind.STUN and self._ice is not None:
            self._ice.handle_datagram(data, path, now)
        elif kind is PacketKind.DTLS and self._dtls is not None:
            self._dtls.handle_datagram(data, now)
        elif kind is PacketKind.DTLS and len(self._early_flight) < MAX_EARLY_FLIGHT:
            self._early_flight.append(data)
        self._advance(now)
        return True

    def _handle_media(self, data: bytes, path: Path, now: float) -> bool:
        """SRTP or SRTCP. What is authentic is a sign of life on its path; reports change how we encode."""
        session = self.voice.session
        if session is None or self._ice is None or not session.handle_datagram(data, now):
            return False
        if not self._ice.handle_traffic(path, now) and not is_rtcp(data):
            return False
        self._advance(now)
        return True

    def handle_timeout(self, now: float) -> None:
        """Let every engine do what is due."""
        for engine in self._engines():
            timeout = engine.next_timeout()
            if timeout is not None and timeout <= now:
                engine.handle_timeout(now)
        self._advance(now)

    def next_timeout(self) -> float | None:
        """The earliest moment that any engine waits for."""
        timeouts = [engine.next_timeout() for engine in self._engines()]
        return min((timeout for timeout in timeouts if timeout is not None), default=None)

    def datagrams_to_send(self) -> list[Datagram]:
        """What is to be sent now, media aside."""
        if self.state is ConnectionState.CLOSED:
            goodbyes, self._goodbyes = self._goodbyes, []
            return goodbyes
        outgoing = self._ice.datagrams_to_send() if self._ice else []
        path = self._ice.selected_path if self._ice else None
        if path is not None:
            outgoing += [Datagram(data, path) for data in self._protected()]
        return outgoing

    def media_to_send(self, now: float) -> list[Datagram]:
        """The SRTP packets of this media tick."""
        session = self.voice.session
        path = self._ice.selected_path if self._ice else None
        if session is None or path is None:
            return []
        return [Datagram(packet, path) for packet in session.packets_to_send(now)]

    def next_event(self) -> PeerConnectionEvent | None:
        """The oldest event that was not yet told; those of data channels come last, and only while they are wanted."""
        if self._events:
            return self._events.popleft()
        return self.channels.next_event() if self.channels is not None and self.wants_messages() else None

    def statistics(self, now: float) -> Statistics:
        """What was counted so far, under the names of W3C webrtc-stats."""
        return collect(self._ice, self._dtls, self.voice.session, now)

    def close(self, now: float) -> None:
        """Say goodbye on every layer: RTCP BYE, SCTP ABORT, DTLS close_notify; drain once more to send it."""
        if self.state is ConnectionState.CLOSED:
            return
        if self.voice.session is not None:
            self.voice.session.close(now)
        if self.channels is not None:
            self.channels.abort("the call has ended")
        if self._dtls is not None:
            self._carry_sctp(self._dtls)
            self._dtls.close()
        self._goodbyes = self.datagrams_to_send()
        self.state = ConnectionState.CLOSED
        if self._ice is not None:
            self._ice.close()

    def _engines(self) -> Iterator[_Engine]:
        if self.state is ConnectionState.CLOSED:
            return
        for engine in (self._ice, self._dtls, self.voice.session, self.channels):
            if engine is not None:
                yield engine

    def _protected(self) -> Iterator[bytes]:
        if self.voice.session is not None:
            yield from self.voice.session.datagrams_to_send()
        if self._dtls is not None:
            self._carry_sctp(self._dtls)
            yield from self._dtls.datagrams_to_send()

    def _carry_sctp(self, transport: DtlsTransport) -> None:
        """One SCTP packet to a DTLS record (RFC 8261 §6.1)."""
        if self.channels is not None and transport.state is DtlsState.CONNECTED:
            for packet in self.channels.datagrams_to_send():
                transport.send(packet)

    # From layer to layer

    def _advance(self, now: float) -> None:
        """Carry the engines' events upwards, until there are no more."""
        while self._ice is not None and (ice_event := self._ice.next_event()) is not None:
            self._handle_ice_event(ice_event, now)
        while self._dtls is not None and (dtls_event := self._dtls.next_event()) is not None:
            self._handle_dtls_event(dtls_event, now)
        while self.voice.session is not None and (rtp_event := self.voice.session.next_event()) is not None:
            if isinstance(rtp_event, rtp.ReportReceived):
                self.voice.handle_report(rtp_event)

    def _handle_ice_event(self, event: ice.IceEvent, now: float) -> None:
        match event:
            case ice.PathAuthenticated(path, proven):
                self._events.append(PathAuthenticated(path, proven))
            case ice.SelectedPathChanged(path):
                pair = self._ice.selected_pair if self._ice is not None else None
                self._events.append(PathAuthenticated(path, proven=pair is not None and pair.is_proven, selected=True))
                # The first authenticated check is enough: browsers may start DTLS with their very first one.
                if self._dtls is not None and self._dtls.state is DtlsState.NEW:
                    self._dtls.start(now)
            case ice.StateChanged(state, reason):
                self._judge_state(reason if state in (IceState.FAILED, IceState.DISCONNECTED) else "")

    def _handle_dtls_event(self, event: dtls.DtlsEvent, now: float) -> None:
        match event:
            case dtls.Connected(keys):
                self._srtp_keys = keys
                self._start_voice(now)
                if self.channels is not None:
                    self.channels.connect(now)
                self._judge_state()
            case dtls.ApplicationData(data):
                if self.channels is not None:
                    self.channels.handle_datagram(data, now)
            case dtls.Failed(code, reason):
                self._judge_state(f"{code.value}: {reason}")
            case dtls.Closed(remote=True):
                self._set_state(ConnectionState.CLOSED, "the peer has closed the connection")

    def _judge_state(self, reason: str = "") -> None:
        """ICE and DTLS taken together, as W3C webrtc §4.3.3 does it."""
        if self._ice is None or self._dtls is None:
            return
        if self._ice.state is IceState.FAILED or self._dtls.state is DtlsState.FAILED:
            self._set_state(ConnectionState.FAILED, reason)
        elif self._ice.state is IceState.DISCONNECTED:
            self._set_state(ConnectionState.DISCONNECTED, reason)
        elif self._ice.state in (IceState.CONNECTED, IceState.COMPLETED) and self._dtls.state is DtlsState.CONNECTED:
            self._set_state(ConnectionState.CONNECTED)
        elif self.state is ConnectionState.NEW:
            self._set_state(ConnectionState.CONNECTING)

    def _set_state(self, state: ConnectionState, reason: str = "") -> None:
        if state is not self.state:
            self.state = state
            self._events.append(ConnectionStateChanged(state, reason))
