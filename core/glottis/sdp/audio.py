"""The audio section of an offer or answer: what it says of the peer's stream, and how ours is described."""

from collections.abc import Iterator

import msgspec

from glottis.sdp.attributes import (
    Direction,
    RtpMap,
    parse_packet_time_untrusted,
    parse_source_attribute_untrusted,
)
from glottis.sdp.codecs import NegotiatedFormat
from glottis.sdp.description import Attribute, Body
from glottis.sdp.feedback import (
    RECEIVER_RTT,
    TRANSPORT_FEEDBACK,
    FormatFeedback,
    agreed_feedback,
    wants_receiver_rtt,
)
from glottis.sdp.header_extensions import agreed_extensions, extension_attributes
from glottis.sdp.redundancy import NegotiatedRed
from glottis.sdp.section import Section
from glottis.wire.rtp_extensions import NO_EXTENSIONS, ExtensionIds


class SendingTrack(msgspec.Struct, frozen=True):
    """The stream that this side sends. Browsers group tracks by ``stream_id`` into ``event.streams``."""

    ssrc: int
    cname: str
    stream_id: str
    track_id: str


class NegotiatedAudio(msgspec.Struct, frozen=True):
    """The audio that was agreed on. Times are milliseconds."""

    mid: str | None
    media_index: int
    direction: Direction
    """As this side sees it."""
    formats: tuple[NegotiatedFormat, ...]
    """Codecs, at least one; this side sends the first, and takes any."""
    events: tuple[NegotiatedFormat, ...] = ()
    """How keys travel, at the clocks of the codecs; perhaps not at all."""
    red: NegotiatedRed | None = None
    """Redundant audio, which both sides may send instead of its primary format."""
    comfort_noise: NegotiatedFormat | None = None
    """How pauses may be told instead of sent."""
    ptime_ms: float | None = None
    maxptime_ms: float | None = None
    remote_ssrcs: tuple[int, ...] = ()
    """Those announced; others may come (RFC 9429 §5.2.1 no longer asks for announcements)."""
    remote_cname: str | None = None
    extmap_allow_mixed: bool = False
    """Whether one stream may mix one- and two-byte header extensions, RFC 8285 §6."""
    rtcp_rsize: bool = False
    """Whether RTCP packets need not be compound ones, RFC 5506."""
    extensions: ExtensionIds = NO_EXTENSIONS
    """Of headers, that both sides know."""
    feedback: tuple[FormatFeedback, ...] = ()
    """By RTCP, that both sides give and take."""
    receiver_rtt: bool = False
    """Whether who only receives may measure the round trip, RFC 3611 §5.1."""

    def __str__(self) -> str:
        """For people: direction and formats, the one that is sent first."""
        return f"{self.direction.value} {', '.join(str(one.rtpmap) for one in self.formats)}"

    def has_feedback(self, kind: str) -> bool:
        """Whether it was agreed on, for whatever format."""
        return any(one.kind == kind for one in self.feedback)


def negotiated_audio_untrusted(
    section: Section,
    direction: Direction,
    formats: tuple[NegotiatedFormat, ...],
    red: NegotiatedRed | None,
    events: tuple[NegotiatedFormat, ...],
    comfort_noise: NegotiatedFormat | None,
) -> NegotiatedAudio:
    """What the peer's ``section`` says."""
    sources = section.read_all_untrusted("ssrc", parse_source_attribute_untrusted)
    feedback = agreed_feedback(section, formats)
    return NegotiatedAudio(
        mid=section.mid,
        media_index=section.index,
        direction=direction,
        formats=formats,
        events=events,
        red=red,
        comfort_noise=comfort_noise,
        ptime_ms=section.read_untrusted("ptime", parse_packet_time_untrusted),
        maxptime_ms=section.read_untrusted("maxptime", parse_packet_time_untrusted),
        remote_ssrcs=tuple(dict.fromkeys(source.ssrc for source in sources)),
        remote_cname=next((source.value for source in sources if source.name == "cname"), None),
        extmap_allow_mixed=section.has("extmap-allow-mixed"),
        rtcp_rsize=section.has("rtcp-rsize"),
        extensions=agreed_extensions(
            section, with_transport_sequence=any(one.kind == TRANSPORT_FEEDBACK for one in feedback)
        ),
        feedback=feedback,
        receiver_rtt=wants_receiver_rtt(section),
    )


def audio_body(audio: NegotiatedAudio, sending: SendingTrack, ptime_ms: float | None = None) -> Body:
    """How this side describes ``audio``, of which it wants packets of ``ptime_ms``, or of the usual length."""
    formats = tuple(str(rtpmap.payload_type) for rtpmap in _rtpmaps(audio))
    return Body(formats, (*_attributes(audio, sending), *_packet_time(audio, ptime_ms)))


def _packet_time(audio: NegotiatedAudio, ptime_ms: float | None) -> Iterator[Attribute]:
    if ptime_ms is not None and audio.direction.receives:
        yield Attribute("ptime", f"{ptime_ms:g}")


def _rtpmaps(audio: NegotiatedAudio) -> list[RtpMap]:
    """In the order that this side prefers."""
    rtpmaps = [negotiated.rtpmap for negotiated in audio.formats]
    if audio.red is not None:
        rtpmaps.insert(0 if audio.red.preferred else len(rtpmaps), audio.red.rtpmap)
    return [*rtpmaps, *(negotiated.rtpmap for negotiated in _beside(audio))]


def _beside(audio: NegotiatedAudio) -> tuple[NegotiatedFormat, ...]:
    """What is no codec, without RED."""
    return audio.events if audio.comfort_noise is None else (audio.comfort_noise, *audio.events)


def _attributes(audio: NegotiatedAudio, sending: SendingTrack) -> Iterator[Attribute]:
    if audio.extmap_allow_mixed:
        yield Attribute("extmap-allow-mixed")
    yield from extension_attributes(audio.extensions)
    yield Attribute(audio.direction.value)
    if audio.direction.sends:
        # A stream named "-" would leave the browser's event.streams empty.
        yield Attribute("msid", f"{sending.stream_id} {sending.track_id}")
    yield Attribute("rtcp-mux")
    if audio.rtcp_rsize:
        yield Attribute("rtcp-rsize")
    if audio.receiver_rtt:
        yield Attribute("rtcp-xr", RECEIVER_RTT)
    for feedback in audio.feedback:
        yield Attribute("rtcp-fb", str(feedback))
    for negotiated in (*audio.formats, *_beside(audio)):
        yield from negotiated.attributes()
    if audio.red is not None:
        yield from audio.red.attributes()
    if audio.direction.sends:
        yield Attribute("ssrc", f"{sending.ssrc} cname:{sending.cname}")
