"""What the plugin registers with glottis."""

from collections.abc import Mapping, Sequence
from typing import Final

from glottis import CodecSpec, hookimpl

from .decoder import OpusDecoder
from .deep_redundancy import redundancy_reach
from .encoder import OpusEncoder
from .packet import CLOCK_RATE, FRAME_DURATIONS_MS, SAMPLE_RATES, has_redundancy, payload_duration_untrusted
from .parameters import DEFAULT_BITRATES, OFFER_PARAMETERS


def answer_parameters(offered: Mapping[str, str]) -> Mapping[str, str]:
    """Ours, whatever was offered: the parameters of either side speak of what that side receives (RFC 7587, 7.1)."""
    return OFFER_PARAMETERS


OPUS: Final = CodecSpec(
    encoding_name="opus",
    clock_rate=CLOCK_RATE,
    channels=2,  # always, also for mono (RFC 7587, section 7)
    create_encoder=OpusEncoder,
    create_decoder=OpusDecoder,
    payload_duration_untrusted=payload_duration_untrusted,
    in_band_redundancy=True,
    has_redundancy=has_redundancy,
    redundancy_reach=redundancy_reach,
    sample_rates=SAMPLE_RATES,
    frame_durations_ms=FRAME_DURATIONS_MS,
    default_bitrates=DEFAULT_BITRATES,
    offer_parameters=OFFER_PARAMETERS,
    answer_parameters=answer_parameters,
)


@hookimpl
def register_codecs() -> Sequence[CodecSpec]:
    """Opus alone."""
    return [OPUS]
