"""Whether pauses may be told instead of sent: ``CN`` in offers and answers, RFC 3389 §5.

It is for codecs of 8000 Hz, whose only way it is: Opus has a way of its own, and browsers use no other with it.
"""

from collections.abc import Sequence
from typing import Final

from glottis.sdp.codecs import STATIC_PAYLOAD_TYPES, AudioCapability, DescribedFormat, NegotiatedFormat, common_formats

_CN: Final = AudioCapability("CN", 8000, static_payload_type=13)


def is_comfort_noise(negotiated: NegotiatedFormat) -> bool:
    """Whether it is no codec."""
    return negotiated.encoding_name == _CN.encoding_name


def common_comfort_noise(
    described: Sequence[DescribedFormat], codecs: Sequence[NegotiatedFormat]
) -> NegotiatedFormat | None:
    """What becomes of the comfort noise among ``described``, if any of ``codecs`` has its clock."""
    if all(codec.clock_rate != _CN.clock_rate for codec in codecs):
        return None
    return next(iter(common_formats(described, [_CN])), None)


def offered_comfort_noise(codecs: Sequence[NegotiatedFormat]) -> NegotiatedFormat | None:
    """What is offered beside ``codecs``."""
    return common_comfort_noise([DescribedFormat(STATIC_PAYLOAD_TYPES[13], {})], codecs)
