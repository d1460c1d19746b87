"""Speech made a little shorter or longer, by a whole pitch period: so neither its pitch nor its tone changes.

Where two stretches of a voice one period apart are alike, one can be faded into the other: what lies between them is
left out, or is heard twice (WSOLA, Verhelst and Roelands, ICASSP 1993). All audio is signed 16-bit mono.
"""

import warnings
from array import array
from typing import Final

from glottis.contracts.audio import BYTES_PER_SAMPLE, FRAME_SECONDS

with warnings.catch_warnings():  # from Python 3.13 on the module is a package of its own, audioop-lts
    warnings.simplefilter("ignore", DeprecationWarning)
    import audioop

SHORTEST_PERIOD: Final = 0.0025
"""Seconds: 400 Hz, the voice of a child."""
LONGEST_PERIOD: Final = 0.015
"""Seconds: 67 Hz, a low man's."""
FADE: Final = 0.005
"""Seconds; what is compared, and faded."""
SEARCHED: Final = LONGEST_PERIOD + FADE
"""Seconds at least of what is to be made shorter or longer by a period: a frame of 20 ms is just enough."""
ALIKE: Final = 0.7
"""The least correlation (0–1) of two stretches that are taken for periods of one voice."""
QUIET: Final = 60
"""The root mean square of samples that no one calls a voice: about -55 dBov."""
PAUSE: Final = 0.06
"""Of the loudness of the voice, which is no more than its breath: -24 dB."""
FADING: Final = 0.995
"""The loudness that is remembered fades to a third in four seconds, of frames of 20 ms."""


class Loudness:
    """Tells pauses from speech, frame by frame."""

    __slots__ = ("_fading", "_loudest")

    def __init__(self, frame_seconds: float = FRAME_SECONDS) -> None:
        self._fading = FADING ** (frame_seconds / FRAME_SECONDS)
        self._loudest = 0.0

    def is_pause(self, pcm: bytes) -> bool:
        """Whether this frame is one, beside the loudest of the last seconds."""
        loudness = audioop.rms(pcm, BYTES_PER_SAMPLE)
        self._loudest = max(loudness, self._fading * self._loudest)
        return loudness < max(QUIET, PAUSE * self._loudest)


def compressed(pcm: bytes, sample_rate: int, *, pause: float = 0.0) -> bytes:
    """``pcm`` without its first pitch period, or so many seconds of a pause; as it is without either.

    A period is looked for in ``SEARCHED`` seconds at least.
    """
    period = _period(pcm, sample_rate, pause)
    if not period:
        return pcm
    fade = _fade_bytes(sample_rate)
    return _faded(pcm[:fade], pcm[period : period + fade]) + pcm[period + fade :]


def stretched(pcm: bytes, sample_rate: int, *, pause: float = 0.0) -> bytes:
    """``pcm`` with its first pitch period twice, or so much of a pause, but no more than a period lasts at most."""
    pause = min(pause, LONGEST_PERIOD)
    period = _period(pcm, sample_rate, pause)
    if not period:
        return pcm
    fade = _fade_bytes(sample_rate)
    longer = pcm[:period] + _faded(pcm[period : period + fade], pcm[:fade]) + pcm[fade:]
    rest = pause - period / (sample_rate * BYTES_PER_SAMPLE)
    return stretched(longer, sample_rate, pause=rest) if rest * sample_rate >= 1 else longer


def add(one: bytes, other: bytes) -> bytes:
    """Both at once, of the same length; what is too loud is clipped."""
    return audioop.add(one, other, BYTES_PER_SAMPLE)


def _period(pcm: bytes, sample_rate: int, pause: float) -> int:
    """Bytes from the beginning to where it looks the same again; 0 where it does not."""
    fade = _fade_bytes(sample_rate)
    shortest, longest = (round(sample_rate * period) * BYTES_PER_SAMPLE for period in (SHORTEST_PERIOD, LONGEST_PERIOD))
    if pause:
        return max(0, min(len(pcm) - fade, round(sample_rate * pause) * BYTES_PER_SAMPLE))
    if len(pcm) < longest + fade:
        return 0
    beginning = pcm[:fade]
    offset, factor = audioop.findfit(pcm[shortest : longest + fade], beginning)
    period = shortest + offset * BYTES_PER_SAMPLE
    is_alike = factor > 0 and _correlation(beginning, pcm[period : period + fade], factor) >= ALIKE
    return period if is_alike else 0


def _correlation(one: bytes, other: bytes, factor: float) -> float:
    """``factor`` is what ``one`` is best multiplied by to become ``other``."""
    loudness = audioop.rms(other, BYTES_PER_SAMPLE)
    return factor * audioop.rms(one, BYTES_PER_SAMPLE) / loudness if loudness else 0.0


def _faded(one: bytes, other: bytes) -> bytes:
    """From ``one`` to ``other``, of the same length."""
    before, after = array("h", one), array("h", other)
    length = len(before)
    return array(
        "h", [old + (new - old) * step // length for step, (old, new) in enumerate(zip(before, after, strict=True))]
    ).tobytes()


def _fade_bytes(sample_rate: int) -> int:
    return round(sample_rate * FADE) * BYTES_PER_SAMPLE
