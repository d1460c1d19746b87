"""Pauses of speech that are not sent, for codecs that cannot do so themselves (RFC 3389 §4)."""

from typing import Final

from glottis.rtp.level import audio_level
from glottis.rtp.stretch import Loudness
from glottis.wire.comfort_noise import build_comfort_noise

COMFORT_NOISE: Final = 13
"""Its payload type at 8000 Hz, RFC 3551 §6."""
HANGOVER: Final = 0.2
"""Seconds of a pause that are sent as they are: the ends of words are soft, and pauses between them short."""
REFRESH: Final = 0.4
"""Seconds after which the noise is told again, as Opus does: for who has missed it, and to keep the path open."""


class Pauses:
    """Says of each frame whether it is sent."""

    def __init__(self) -> None:
        self.payload_type = COMFORT_NOISE
        """Of comfort noise, at the codec's own clock; may be set at any time."""
        self._loudness = Loudness()
        self._quiet = HANGOVER
        """Seconds in a row. Nothing has been said before the first."""
        self._untold = REFRESH
        """Seconds since the noise was told last."""

    def comfort_noise(self, pcm: bytes, seconds: float) -> bytes | None:
        """What is sent in place of a frame of so many seconds: comfort noise, or nothing; None: it is speech."""
        if not self._loudness.is_pause(pcm):
            self._quiet, self._untold = 0.0, REFRESH
            return None
        self._quiet += seconds
        if self._quiet < HANGOVER + seconds / 2:
            return None
        self._untold += seconds
        if self._untold < REFRESH + seconds / 2:
            return b""
        self._untold = seconds
        return build_comfort_noise(audio_level(pcm))
