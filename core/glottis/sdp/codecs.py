"""Which codecs both sides have: payload types, rtpmap and fmtp of audio sections (RFC 3264 §6.1, RFC 3551)."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import count
from typing import Final, NamedTuple

import msgspec

from glottis.contracts.codec import CodecSpec, FormatParameters
from glottis.sdp.attributes import PAYLOAD_TYPES, Fmtp, RtpMap, parse_fmtp_untrusted, parse_rtpmap_untrusted
from glottis.sdp.description import Attribute
from glottis.sdp.section import Section

STATIC_PAYLOAD_TYPES: Final = {
    0: RtpMap(0, "PCMU", 8000),
    8: RtpMap(8, "PCMA", 8000),
    9: RtpMap(9, "G722", 8000),
    13: RtpMap(13, "CN", 8000),
}
"""What needs no ``a=rtpmap``, RFC 3551 §6. G.722's clock is 8000 although it samples at 16000 (§4.5.2)."""

RTCP_CONFLICTS: Final = range(64, 96)
"""With RTCP on the same port, these payload types look like RTCP packets, RFC 5761 §4."""

FIRST_DYNAMIC_PAYLOAD_TYPE: Final = 96


class AudioCapability(msgspec.Struct, frozen=True):
    """A codec that this side has. ``clock_rate`` in hertz is that of RTP timestamps.

    ``answer_format_parameters`` maps the offered fmtp to the answered one, or to None where the format does not fit.
    """

    encoding_name: str
    clock_rate: int
    channels: int = 1
    static_payload_type: int | None = None
    answer_format_parameters: Callable[[Mapping[str, str]], Mapping[str, str] | None] = lambda offered: {}
    offer_format_parameters: Mapping[str, str] = msgspec.field(default_factory=dict)

    @classmethod
    def of(cls, codec: CodecSpec) -> "AudioCapability":
        """What a registered codec can do."""
        return cls(
            encoding_name=codec.encoding_name,
            clock_rate=codec.clock_rate,
            channels=codec.channels,
            static_payload_type=codec.static_payload_type,
            answer_format_parameters=codec.answer_parameters,
            offer_format_parameters=codec.offer_parameters,
        )

    def rtpmap(self, payload_type: int) -> RtpMap:
        """The codec under a number."""
        return RtpMap(payload_type, self.encoding_name, self.clock_rate, self.channels)

    def __str__(self) -> str:
        return _description(self.rtpmap(0))


class NegotiatedFormat(msgspec.Struct, frozen=True):
    """A codec that both sides have; the offerer's payload type stands for it in both directions (RFC 3264 §6.1)."""

    rtpmap: RtpMap
    """Its encoding name is spelled as this side spells it."""
    remote_parameters: FormatParameters = msgspec.field(default_factory=dict)
    local_parameters: FormatParameters = msgspec.field(default_factory=dict)

    @property
    def payload_type(self) -> int:
        """The number in RTP packets."""
        return self.rtpmap.payload_type

    @property
    def encoding_name(self) -> str:
        """Which codec it is."""
        return self.rtpmap.encoding_name

    @property
    def clock_rate(self) -> int:
        """Hertz of RTP timestamps."""
        return self.rtpmap.clock_rate

    def attributes(self) -> Iterator[Attribute]:
        """How this side describes it."""
        yield Attribute("rtpmap", str(self.rtpmap))
        if self.local_parameters:
            yield Attribute("fmtp", str(Fmtp(self.payload_type, self.local_parameters)))


BESIDE_CODECS: Final = {"cn", "red", "telephone-event"}
"""Encoding names of what is no codec, RFC 3389, 2198 and 4733."""


class DescribedFormat(NamedTuple):
    """A payload type as a section describes it."""

    rtpmap: RtpMap
    parameters: FormatParameters


def described_formats_untrusted(section: Section) -> tuple[DescribedFormat, ...]:
    """The usable payload types of an audio section in its order; those without a meaning are left out."""
    # Turned round, so that of two lines for one payload type the first counts.
    rtpmaps = reversed(section.read_all_untrusted("rtpmap", parse_rtpmap_untrusted))
    fmtps = dict(reversed(section.read_all_untrusted("fmtp", parse_fmtp_untrusted)))
    meanings = {**STATIC_PAYLOAD_TYPES, **{rtpmap.payload_type: rtpmap for rtpmap in rtpmaps}}
    return tuple(
        DescribedFormat(meanings[payload_type], fmtps.get(payload_type, {}))
        for payload_type in _payload_types(section)
        if payload_type in meanings and payload_type not in RTCP_CONFLICTS
    )


def formats_beside_codecs(described: Iterable[DescribedFormat]) -> list[DescribedFormat]:
    """Those of pauses, copies and keys."""
    return [one for one in described if one.rtpmap.encoding_name.lower() in BESIDE_CODECS]


def offered_names_untrusted(section: Section) -> tuple[str, ...]:
    """What an audio section calls its payload types, for people; those that cannot be used go by number."""
    static = {number: _description(rtpmap) for number, rtpmap in STATIC_PAYLOAD_TYPES.items()}
    names = static | dict(reversed(section.read_all_untrusted("rtpmap", _written_rtpmap_untrusted)))
    return tuple(
        names[number] if number in names and number not in RTCP_CONFLICTS else f"payload type {number}"
        for number in _payload_types(section)
    )


def _written_rtpmap_untrusted(text: str) -> tuple[int, str]:
    """The payload type, and its meaning as it was written: ``opus/48000/1`` is not shortened."""
    return parse_rtpmap_untrusted(text).payload_type, text.partition(" ")[2].strip()


def _description(rtpmap: RtpMap) -> str:
    return str(rtpmap).partition(" ")[2]


def common_formats(
    offered: Sequence[DescribedFormat], capabilities: Sequence[AudioCapability]
) -> tuple[NegotiatedFormat, ...]:
    """What both sides have, in the order of ``capabilities``: the first is what this side sends."""
    encodings = [described.rtpmap.encoding for described in offered]
    matches = (_first_match(zip(encodings, offered, strict=True), capability) for capability in capabilities)
    return tuple(match for match in matches if match is not None)


def _first_match(
    offered: Iterable[tuple[tuple[str, int, int], DescribedFormat]], capability: AudioCapability
) -> NegotiatedFormat | None:
    wanted = capability.rtpmap(0).encoding
    for encoding, described in offered:
        if encoding == wanted:
            local_parameters = capability.answer_format_parameters(described.parameters)
            if local_parameters is not None:
                rtpmap = capability.rtpmap(described.rtpmap.payload_type)
                return NegotiatedFormat(rtpmap, described.parameters, local_parameters)
    return None


def offered_formats(capabilities: Sequence[AudioCapability]) -> tuple[NegotiatedFormat, ...]:
    """All of ``capabilities`` under payload types of our own; the other side's parameters are not known yet."""
    dynamic = count(FIRST_DYNAMIC_PAYLOAD_TYPE)
    return tuple(
        NegotiatedFormat(
            capability.rtpmap(
                next(dynamic) if capability.static_payload_type is None else capability.static_payload_type
            ),
            local_parameters=capability.offer_format_parameters,
        )
        for capability in capabilities
    )


def _payload_types(section: Section) -> Iterable[int]:
    """The formats of an RTP section, each once; what cannot be the number of one stands for nothing."""
    return [number for number in map(PAYLOAD_TYPES.get, dict.fromkeys(section.media.formats)) if number is not None]
