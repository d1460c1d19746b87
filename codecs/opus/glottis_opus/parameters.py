"""The fmtp parameters of Opus (RFC 7587, section 6.1): ours, and how the encoder obeys the receiver's."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from glottis import EncoderSettings

from .deep_redundancy import possible_ms
from .library import lib
from .packet import SAMPLE_RATES

OFFER_PARAMETERS: Mapping[str, str] = {"minptime": "10", "useinbandfec": "1"}
"""Said in offers and answers alike. Without ``useinbandfec=1`` a browser sends no FEC."""

BITRATE_RANGE: Final = (6000, 510000)
"""Bits per second: what ``maxaveragebitrate`` may be (RFC 7587, section 6.1), and what libopus accepts."""

DEFAULT_BITRATES: Final = {8000: 16000, 12000: 20000, 16000: 24000, 24000: 32000, 48000: 40000}
"""Bits per second by sample rate: the upper end of the sweet spots for speech (RFC 7587, section 3.1.1), and at the
lower rates a little more, below which libopus has no room for in-band FEC."""

_MAX_DIGITS: Final = 9
"""No parameter needs more, and Python's ``int`` is slow on very long strings."""

_BANDWIDTHS: Final = dict(
    zip(
        SAMPLE_RATES,
        (
            lib.OPUS_BANDWIDTH_NARROWBAND,
            lib.OPUS_BANDWIDTH_MEDIUMBAND,
            lib.OPUS_BANDWIDTH_WIDEBAND,
            lib.OPUS_BANDWIDTH_SUPERWIDEBAND,
            lib.OPUS_BANDWIDTH_FULLBAND,
        ),
        strict=True,
    )
)


@dataclass(frozen=True, slots=True)
class EncoderPlan:
    """What the encoder does: our settings, within what the receiver asked for. Bitrates in bits per second."""

    bitrate: int
    max_bitrate: int
    max_bandwidth: int
    constant_bitrate: bool
    in_band_fec: bool
    dtx: bool
    dred_ms: int


def plan_encoder(settings: EncoderSettings) -> EncoderPlan:
    """Unite our settings with the receiver's parameters; values that are no numbers count as absent.

    DTX: the receiver's explicit word decides, else ours. FEC: only if both want it. ``stereo`` needs no obeying,
    mono is always allowed. Of deep redundancy no parameter speaks: who does not know it passes over it.
    """
    remote = settings.remote_parameters
    max_bitrate = clamp_bitrate(_number(remote.get("maxaveragebitrate"), BITRATE_RANGE[1]))
    return EncoderPlan(
        bitrate=settings.bitrate or DEFAULT_BITRATES[settings.sample_rate],
        max_bitrate=max_bitrate,
        max_bandwidth=_bandwidth_within(_number(remote.get("maxplaybackrate"), SAMPLE_RATES[-1])),
        constant_bitrate=_number(remote.get("cbr"), 0) == 1,
        in_band_fec=settings.in_band_fec and _number(remote.get("useinbandfec"), 0) == 1,
        dtx=_number(remote.get("usedtx"), int(settings.dtx)) == 1,
        dred_ms=possible_ms(settings.dred_ms, settings.complexity),
    )


def clamp_bitrate(bits_per_second: int, ceiling: int = BITRATE_RANGE[1]) -> int:
    """The nearest bitrate that libopus accepts, no higher than ``ceiling``."""
    return min(max(bits_per_second, BITRATE_RANGE[0]), ceiling)


def _bandwidth_within(playback_rate: int) -> int:
    """The widest libopus bandwidth whose sample rate the receiver can play (``maxplaybackrate``)."""
    playable = [rate for rate in SAMPLE_RATES if rate <= playback_rate]
    return _BANDWIDTHS[playable[-1] if playable else SAMPLE_RATES[0]]


def _number(value: str | None, default: int) -> int:
    if value is None or len(value) > _MAX_DIGITS or not (value.isascii() and value.isdigit()):
        return default
    return int(value)
