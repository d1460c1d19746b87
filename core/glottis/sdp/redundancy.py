"""Whether redundant audio is agreed on: ``red`` in offers and answers, RFC 2198 §5."""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from glottis.contracts.codec import RedPolicy
from glottis.sdp.attributes import Fmtp, RtpMap
from glottis.sdp.codecs import FIRST_DYNAMIC_PAYLOAD_TYPE, DescribedFormat, NegotiatedFormat
from glottis.sdp.description import Attribute

_NAME: Final = "red"
_MAX_BLOCKS: Final = 32
"""Payload types that an fmtp lists; each block of a packet has one."""


class NegotiatedRed(msgspec.Struct, frozen=True):
    """RED whose blocks are all of one format. Each side may send it, or that format plain."""

    rtpmap: RtpMap
    primary: NegotiatedFormat
    preferred: bool = False
    """Whether it stands before all other formats, which has browsers send it."""

    def attributes(self) -> Iterator[Attribute]:
        """How this side describes it. The blocks are listed as payload types between slashes, in an odd fmtp."""
        number = self.primary.payload_type
        yield Attribute("rtpmap", str(self.rtpmap))
        yield Attribute("fmtp", str(Fmtp(self.rtpmap.payload_type, {f"{number}/{number}": ""})))


def answered_red_untrusted(
    described_formats: Sequence[DescribedFormat], formats: Sequence[NegotiatedFormat], policy: RedPolicy
) -> NegotiatedRed | None:
    """What becomes of the RED among ``described_formats``, if any: its blocks must be of one of ``formats``."""
    if policy == "off":
        return None
    # The first that is of use: a peer may describe one of each codec.
    primaries = {negotiated.payload_type: negotiated for negotiated in formats}
    for described in described_formats:
        if is_red(described.rtpmap):
            numbers = _block_types_untrusted(" ".join(described.parameters))
            primary = primaries.get(numbers.pop()) if len(numbers) == 1 else None
            if primary is not None and _is_red_of(described.rtpmap, primary):
                return NegotiatedRed(described.rtpmap, primary, preferred=policy == "on")
    return None


def is_red(rtpmap: RtpMap) -> bool:
    """Whether it is no codec, but packets of those of one."""
    return rtpmap.encoding_name.lower() == _NAME


def offered_red(formats: Sequence[NegotiatedFormat], policy: RedPolicy) -> NegotiatedRed | None:
    """RED of our favourite; where that is one of RFC 3551, of which few peers take it, for a policy of ``on`` alone."""
    primary = formats[0]
    if policy == "off" or (policy == "auto" and primary.payload_type < FIRST_DYNAMIC_PAYLOAD_TYPE):
        return None
    number = max(FIRST_DYNAMIC_PAYLOAD_TYPE, *(1 + negotiated.payload_type for negotiated in formats))
    return NegotiatedRed(primary.rtpmap._replace(payload_type=number, encoding_name=_NAME), primary, policy == "on")


def _is_red_of(red: RtpMap, primary: NegotiatedFormat) -> bool:
    """RED has the clock rate of its blocks, and browsers let it have their channels too."""
    return red.clock_rate == primary.clock_rate and red.channels == primary.rtpmap.channels


def _block_types_untrusted(parameters: str) -> set[int]:
    """Each that is listed, once."""
    words = parameters.split("/", _MAX_BLOCKS)
    return {int(word) if word.isascii() and word.isdigit() and len(word) <= 3 else -1 for word in words}
