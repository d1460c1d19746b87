"""What the plugin registers with glottis."""

from collections.abc import Sequence
from functools import partial
from typing import Final

from glottis import CodecSpec, ComponentSpec, EchoCancelling, EncoderSettings, Resampling, hookimpl

from .coders import ALAW, G722_NARROWBAND, G722_WIDEBAND, ULAW, Coder
from .decoder import SpandspDecoder
from .echo import SpeexEchoCancelling
from .encoder import SpandspEncoder
from .payload import CLOCK_RATE, FRAME_DURATIONS_MS, SAMPLE_RATES, payload_duration_untrusted
from .resampler import SpeexResampling


def _g722_for(sample_rate: int) -> Coder:
    """To 8 kHz libspandsp decodes G.722 directly; all else starts from its 16 kHz."""
    return G722_NARROWBAND if sample_rate == G722_NARROWBAND.sample_rate else G722_WIDEBAND


def _create_g722_encoder(settings: EncoderSettings) -> SpandspEncoder:
    return SpandspEncoder(_g722_for(settings.sample_rate), settings)


def _create_g722_decoder(sample_rate: int) -> SpandspDecoder:
    return SpandspDecoder(_g722_for(sample_rate), sample_rate)


_spec = partial(
    CodecSpec,
    clock_rate=CLOCK_RATE,
    payload_duration_untrusted=payload_duration_untrusted,
    sample_rates=SAMPLE_RATES,
    frame_durations_ms=FRAME_DURATIONS_MS,
    in_band_redundancy=True,  # what is concealed is led to the next packet
)

PCMU: Final = _spec(
    encoding_name="PCMU",
    static_payload_type=0,
    create_encoder=partial(SpandspEncoder, ULAW),
    create_decoder=partial(SpandspDecoder, ULAW),
)
PCMA: Final = _spec(
    encoding_name="PCMA",
    static_payload_type=8,
    create_encoder=partial(SpandspEncoder, ALAW),
    create_decoder=partial(SpandspDecoder, ALAW),
)
G722: Final = _spec(
    encoding_name="G722",
    static_payload_type=9,
    create_encoder=_create_g722_encoder,
    create_decoder=_create_g722_decoder,
)


@hookimpl
def register_codecs() -> Sequence[CodecSpec]:
    """G.722 and both laws of G.711."""
    return [G722, PCMU, PCMA]


@hookimpl
def register_components() -> Sequence[ComponentSpec[Resampling] | ComponentSpec[EchoCancelling]]:
    """The resampler ``speex``, and the echo canceller."""
    return [
        ComponentSpec(Resampling, "speex", lambda settings: SpeexResampling()),
        ComponentSpec(EchoCancelling, "speex", lambda settings: SpeexEchoCancelling()),
    ]
