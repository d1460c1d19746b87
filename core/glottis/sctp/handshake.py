"""The four-way handshake (RFC 9260 §5), from either side or both at once."""

from collections.abc import Callable, Iterator
from typing import Final

from glottis.contracts.errors import Malformed
from glottis.sctp.cookies import Cookie, CookieJar
from glottis.sctp.limits import SMALLEST_WINDOW
from glottis.sctp.states import Happening, State
from glottis.sctp.tcb import Peer, Tcb, new_tag
from glottis.sctp.timers import Timer
from glottis.wire.sctp import ChunkType, Parameter, encode_chunk, encode_parameters
from glottis.wire.sctp_chunks import DTLS_ERROR_DETECTION, Cause, Init, ParameterType, parse_init_untrusted

_UNDERSTOOD: Final = frozenset(ParameterType)
"""Addresses among them, which mean nothing over DTLS (RFC 8261) and are passed over."""
_EXTENSIONS: Final = (
    Parameter(ParameterType.FORWARD_TSN_SUPPORTED, b""),
    Parameter(ParameterType.SUPPORTED_EXTENSIONS, bytes([ChunkType.RE_CONFIG, ChunkType.FORWARD_TSN])),
)
_ZERO_CHECKSUM: Final = Parameter(ParameterType.ZERO_CHECKSUM_ACCEPTABLE, DTLS_ERROR_DETECTION)
_MAX_REPORTED: Final = 256
"""Bytes of unrecognized parameters that are reported: the answer must fit one packet beside the cookie."""


_NO_COOKIE: Final = (1).to_bytes(4, "big") + ParameterType.STATE_COOKIE.to_bytes(2, "big")
"""One parameter is missing, this one (§3.3.10.2)."""


class Handshake:
    """Owns T1 and the cookies; before the peer shows a cookie of ours, holds nothing of it but what it understands.

    What is optional has a fallback, for some peers drop a whole packet for a parameter that they do not know: an INIT
    ACK offers zero checksum only to who offers it, and T1 repeats no offer that the peer has not made itself. If it
    then makes one in its INIT ACK, a new INIT does so too, and nothing is lost but a round trip.
    """

    def __init__(self, tcb: Tcb, begin: Callable[[Peer, float], None], *, offer_zero_checksum: bool) -> None:
        """``begin(peer, now)`` is called once, when the association comes into being."""
        self._tcb = tcb
        self._begin_association = begin
        self._jar = CookieJar(tcb.rng)
        self._offers: tuple[Parameter, ...] = (*_EXTENSIONS, _ZERO_CHECKSUM) if offer_zero_checksum else _EXTENSIONS
        """Parameters of an INIT that the peer may not know."""
        self._offered: tuple[Parameter, ...] = ()
        """Those of the last INIT."""
        self._known_to_peer: frozenset[Parameter] = frozenset()
        """Those that it has used itself."""
        self._cookie_echo = b""
        self._attempts = 0

    def connect(self, now: float) -> None:
        """Send INIT (§5.1 A)."""
        if self._tcb.ended or not self._tcb.advance(Happening.CONNECT):
            return
        self._attempts = 0
        self._send_init(self._offers, now)

    def handle_init_untrusted(self, value: bytes, now: float) -> None:
        """Answer INIT with INIT ACK, statelessly (§5.1 B, §5.2.1, §5.2.2)."""
        tcb = self._tcb
        if tcb.ended or tcb.state is State.SHUTDOWN_ACK_SENT:
            return
        init = parse_init_untrusted(value)
        known = _known_part(init)
        peer, unrecognized = self._learn_untrusted(init, known)
        established = tcb.peer is not None and tcb.state not in (State.COOKIE_WAIT, State.COOKIE_ECHOED)
        local_tag = new_tag(tcb.rng) if established else tcb.local_tag
        tie_tags = (tcb.local_tag, tcb.peer.tag if tcb.peer else 0) if tcb.state is not State.CLOSED else (0, 0)
        cookie = Parameter(ParameterType.STATE_COOKIE, self._jar.seal(Cookie(now, local_tag, tie_tags, peer)))
        offers = self._offers if ParameterType.ZERO_CHECKSUM_ACCEPTABLE in known else _EXTENSIONS
        ack = self._our_init(local_tag, (*offers, cookie, *_reports(unrecognized)))
        tcb.seal([encode_chunk(ChunkType.INIT_ACK, ack.encode())], peer.tag)

    def handle_init_ack_untrusted(self, value: bytes, now: float) -> None:
        """Echo the cookie (§5.1 C); elsewhere than in COOKIE-WAIT an INIT ACK is ignored (§5.2.3)."""
        tcb = self._tcb
        if tcb.state is not State.COOKIE_WAIT:
            return
        init = parse_init_untrusted(value)
        known = _known_part(init)
        peer, unrecognized = self._learn_untrusted(init, known)
        if not self._known_to_peer.issubset(self._offered):
            self._send_known_init(now)
            return
        cookie = known.get(ParameterType.STATE_COOKIE)
        if cookie is None:
            tcb.abort(
                Cause.MISSING_MANDATORY_PARAMETER, "the peer's INIT ACK has no cookie", detail=_NO_COOKIE, tag=peer.tag
            )
            return
        self._cookie_echo = encode_chunk(ChunkType.COOKIE_ECHO, cookie)
        chunks = [self._cookie_echo]
        if unrecognized:
            chunks.append(encode_chunk(ChunkType.ERROR, encode_parameters(_reports(unrecognized))))
        if sum(map(len, chunks)) > tcb.limits.packet_capacity:
            tcb.abort(Cause.OUT_OF_RESOURCE, "the peer's cookie does not fit a packet", detail=b"", tag=peer.tag)
            return
        tcb.advance(Happening.INIT_ACK)
        self._adopt(peer)
        self._attempts = 0
        self._send(chunks, now)

    def handle_cookie_echo_untrusted(self, value: bytes, tag: int, now: float) -> None:
        """Enter the association that the cookie describes (§5.1.5, §5.2.4); a restart of the peer ends ours."""
        tcb = self._tcb
        cookie = self._jar.open_untrusted(value)
        if tag != cookie.local_tag:
            raise Malformed("a COOKIE ECHO does not carry the tag of its cookie")
        known = tcb.peer is not None and tcb.peer.tag == cookie.peer.tag
        if cookie.local_tag != tcb.local_tag:
            self._handle_restart_untrusted(cookie)
        elif now - cookie.created_at > tcb.limits.cookie_lifetime and not known:
            self._report_stale(cookie, now)
        else:
            self._enter_by_cookie(cookie, now, known=known)

    def handle_cookie_ack(self, now: float) -> None:
        """The peer has entered the association (§5.1 E)."""
        if self._tcb.advance(Happening.COOKIE_ACK):
            self._finish(now)

    def handle_stale_cookie(self, now: float) -> None:
        """The peer found our cookie too old: begin again (§5.2.6)."""
        if self._tcb.state is State.COOKIE_ECHOED:
            self._tcb.peer = None
            self._tcb.advance(Happening.STALE_COOKIE)
            self.connect(now)

    def handle_t1(self, now: float) -> None:
        """INIT or COOKIE ECHO was not answered in time (§4 notes 2 and 3): send it again, without what is optional."""
        self._attempts += 1
        if self._attempts > self._tcb.limits.max_init_retransmits:
            self._tcb.fail("the peer did not answer the handshake")
            return
        self._tcb.rto.back_off()
        if self._tcb.state is State.COOKIE_WAIT:
            self._send_known_init(now)
        else:
            self._send([self._cookie_echo], now)

    def _send_known_init(self, now: float) -> None:
        self._send_init(tuple(offer for offer in self._offers if offer in self._known_to_peer), now)

    def _send_init(self, offers: tuple[Parameter, ...], now: float) -> None:
        self._offered = offers
        self._send([encode_chunk(ChunkType.INIT, self._our_init(self._tcb.local_tag, offers).encode())], now)

    def _our_init(self, local_tag: int, parameters: tuple[Parameter, ...]) -> Init:
        limits = self._tcb.limits
        streams = limits.max_streams
        return Init(local_tag, limits.receive_buffer, streams, streams, self._tcb.initial_tsn, parameters)

    def _send(self, chunks: list[bytes], now: float) -> None:
        self._tcb.seal(chunks)
        self._tcb.timers.start(Timer.T1_HANDSHAKE, now + self._tcb.rto.seconds)

    def _learn_untrusted(self, init: Init, known: dict[int, bytes]) -> tuple[Peer, list[Parameter]]:
        """As ``_peer_untrusted``, and remember what the peer understands."""
        peer, unrecognized = _peer_untrusted(init, known)
        self._known_to_peer |= {offer for offer in self._offers if offer.type in known}
        return peer, unrecognized

    def _adopt(self, peer: Peer) -> None:
        self._tcb.peer = peer
        self._tcb.zero_checksum = _ZERO_CHECKSUM in self._offers and peer.zero_checksum

    def _enter_by_cookie(self, cookie: Cookie, now: float, *, known: bool) -> None:
        """Acknowledge the cookie, also a repeated one; the first brings the association into being."""
        if self._tcb.advance(Happening.VALID_COOKIE):
            self._adopt(cookie.peer)
            self._finish(now)
        elif not known:
            return
        self._tcb.control.append(encode_chunk(ChunkType.COOKIE_ACK))

    def _handle_restart_untrusted(self, cookie: Cookie) -> None:
        tcb = self._tcb
        if tcb.peer is not None and cookie.tie_tags == (tcb.local_tag, tcb.peer.tag):
            tcb.abort(Cause.USER_INITIATED_ABORT, "the peer restarted the association", tag=cookie.peer.tag)
        else:
            raise Malformed("a COOKIE ECHO belongs to no association of ours")

    def _report_stale(self, cookie: Cookie, now: float) -> None:
        late = now - cookie.created_at - self._tcb.limits.cookie_lifetime
        staleness = min(int(late * 1_000_000), 0xFFFFFFFF).to_bytes(4, "big")
        report = encode_parameters([Parameter(Cause.STALE_COOKIE, staleness)])
        self._tcb.seal([encode_chunk(ChunkType.ERROR, report)], cookie.peer.tag)

    def _finish(self, now: float) -> None:
        assert self._tcb.peer is not None
        self._tcb.timers.stop(Timer.T1_HANDSHAKE)
        self._tcb.rto.forget_back_off()
        self._begin_association(self._tcb.peer, now)


def _peer_untrusted(init: Init, known: dict[int, bytes]) -> tuple[Peer, list[Parameter]]:
    """The peer that ``init`` describes, and the parameters that it wants to hear were not recognized."""
    if not init.initiate_tag or not init.outbound_streams or not init.inbound_streams:
        raise Malformed("an INIT has a zero tag or no streams")
    if init.advertised_window < SMALLEST_WINDOW:
        raise Malformed("an INIT advertises too small a window")
    extensions = _extensions(known)
    peer = Peer(
        tag=init.initiate_tag,
        initial_tsn=init.initial_tsn,
        advertised_window=init.advertised_window,
        inbound_streams=init.inbound_streams,
        forward_tsn=ChunkType.FORWARD_TSN in extensions,
        re_config=ChunkType.RE_CONFIG in extensions,
        zero_checksum=known.get(ParameterType.ZERO_CHECKSUM_ACCEPTABLE) == DTLS_ERROR_DETECTION,
    )
    unrecognized = known.keys() - _UNDERSTOOD
    return peer, [Parameter(kind, known[kind]) for kind in sorted(unrecognized) if kind & 0x4000]


def _extensions(known: dict[int, bytes]) -> set[int]:
    """Types of the chunks that an INIT announces; FORWARD TSN has its own parameter, too, but Pion does without it."""
    extensions = set(known.get(ParameterType.SUPPORTED_EXTENSIONS, b""))
    if ParameterType.FORWARD_TSN_SUPPORTED in known:
        extensions.add(ChunkType.FORWARD_TSN)
    return extensions


def _known_part(init: Init) -> dict[int, bytes]:
    """The parameters, of each type the first, up to an unknown one that forbids reading on (§3.2.1: no highest bit)."""
    known: dict[int, bytes] = {}
    for kind, value in init.parameters:
        known.setdefault(kind, value)
        if not kind & 0x8000 and kind not in _UNDERSTOOD:
            break
    return known


def _reports(unrecognized: list[Parameter]) -> Iterator[Parameter]:
    """As parameters of INIT ACK or as causes in ERROR: their numbers are the same (§3.3.3, §3.3.10.8)."""
    room = _MAX_REPORTED
    for parameter in unrecognized:
        whole = encode_parameters([parameter])
        room -= len(whole) + 8
        if room < 0:
            return
        yield Parameter(ParameterType.UNRECOGNIZED_PARAMETER, whole)
