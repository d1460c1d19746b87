"""The audio section of an offer or answer: what it says of the peer's stream, and how ours is described."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from glottis.sdp.attributes import (
    Direction,
    ExtensionMap,
    parse_extmap_untrusted,
    parse_packet_time_untrusted,
    parse_source_attribute_untrusted,
)
from glottis.sdp.codecs import NegotiatedFormat
from glottis.sdp.description import Attribute, Body
from glottis.sdp.section import Section

DEFAULT_PACKET_TIME_MS: Final = 20.0
"""What a peer gets that does not say, RFC 3551 §4.2 and RFC 7587 §6.1."""

MAX_ONE_BYTE_ID: Final = 14
MAX_TWO_BYTE_ID: Final = 255
"""Identifiers that fit the two forms of header extensions, RFC 8285 §4.2, §4.3; larger ones stand for none."""


@dataclass(frozen=True, slots=True)
class SendingTrack:
    """The stream that this side sends. Browsers group tracks by ``stream_id`` into ``event.streams``."""

    ssrc: int
    cname: str
    stream_id: str
    track_id: str


@dataclass(frozen=True, slots=True)
class NegotiatedAudio:
    """The audio that was agreed on. Times are milliseconds."""

    mid: str | None
    media_index: int
    direction: Direction
    """As this side sees it."""
    formats: tuple[NegotiatedFormat, ...]
    """At least one; this side sends the first, and takes any."""
    ptime_ms: float | None = None
    maxptime_ms: float | None = None
    remote_ssrcs: tuple[int, ...] = ()
    """Those announced; others may come (RFC 9429 §5.2.1 no longer asks for announcements)."""
    remote_cname: str | None = None
    header_extensions: tuple[ExtensionMap, ...] = ()
    """With the direction as this side sees it."""
    extmap_allow_mixed: bool = False
    """Whether one stream may mix one- and two-byte header extensions, RFC 8285 §6."""
    rtcp_rsize: bool = False
    """Whether RTCP packets need not be compound ones, RFC 5506."""

    @property
    def packet_time_ms(self) -> float:
        """How much audio the peer wants in a packet: its ptime, but never more than its maxptime."""
        wanted = self.ptime_ms or DEFAULT_PACKET_TIME_MS
        return min(wanted, self.maxptime_ms or wanted)


def negotiated_audio_untrusted(
    section: Section,
    direction: Direction,
    formats: tuple[NegotiatedFormat, ...],
    header_extensions: frozenset[str],
) -> NegotiatedAudio:
    """What the peer's ``section`` says; ``header_extensions`` are the URIs of those that this side has."""
    sources = section.read_all_untrusted("ssrc", parse_source_attribute_untrusted)
    return NegotiatedAudio(
        mid=section.mid,
        media_index=section.index,
        direction=direction,
        formats=formats,
        ptime_ms=section.read_untrusted("ptime", parse_packet_time_untrusted),
        maxptime_ms=section.read_untrusted("maxptime", parse_packet_time_untrusted),
        remote_ssrcs=tuple(dict.fromkeys(source.ssrc for source in sources)),
        remote_cname=next((source.value for source in sources if source.name == "cname"), None),
        header_extensions=_common_extensions_untrusted(section, header_extensions),
        extmap_allow_mixed=section.has("extmap-allow-mixed"),
        rtcp_rsize=section.has("rtcp-rsize"),
    )


def _common_extensions_untrusted(section: Section, implemented: frozenset[str]) -> tuple[ExtensionMap, ...]:
    """The peer's identifiers for what this side has, RFC 8285 §5; a repeated URI counts once."""
    highest = MAX_TWO_BYTE_ID if section.has("extmap-allow-mixed") else MAX_ONE_BYTE_ID
    common: dict[str, ExtensionMap] = {}
    for extension in section.read_all_untrusted("extmap", parse_extmap_untrusted):
        if extension.uri in implemented and 1 <= extension.id <= highest:
            common.setdefault(extension.uri, extension._replace(direction=extension.direction.reversed))
    return tuple(common.values())


def audio_body(audio: NegotiatedAudio, sending: SendingTrack, ptime_ms: float | None) -> Body:
    """How this side describes ``audio``; ``ptime_ms`` is its own wish."""
    formats = tuple(str(negotiated.payload_type) for negotiated in audio.formats)
    return Body(formats, tuple(_attributes(audio, sending, ptime_ms)))


def _attributes(audio: NegotiatedAudio, sending: SendingTrack, ptime_ms: float | None) -> Iterator[Attribute]:
    if audio.extmap_allow_mixed:
        yield Attribute("extmap-allow-mixed")
    yield from (Attribute("extmap", str(extension)) for extension in audio.header_extensions)
    yield Attribute(audio.direction.value)
    if audio.direction.sends:
        # A stream named "-" would leave the browser's event.streams empty.
        yield Attribute("msid", f"{sending.stream_id} {sending.track_id}")
    yield Attribute("rtcp-mux")
    if audio.rtcp_rsize:
        yield Attribute("rtcp-rsize")
    for negotiated in audio.formats:
        yield from negotiated.attributes()
    if ptime_ms is not None:
        yield Attribute("ptime", f"{ptime_ms:g}")
    if audio.direction.sends:
        yield Attribute("ssrc", f"{sending.ssrc} cname:{sending.cname}")
