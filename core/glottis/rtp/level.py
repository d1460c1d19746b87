"""How loud a frame is, as headers (RFC 6464) and comfort noise (RFC 3389) tell it."""

import math
import warnings
from typing import Final

from glottis.contracts.audio import BYTES_PER_SAMPLE

with warnings.catch_warnings():  # from Python 3.13 on the module is a package of its own, audioop-lts
    warnings.simplefilter("ignore", DeprecationWarning)
    import audioop

SILENCE: Final = 127
"""−dBov, the least that can be told."""
FULL_SCALE: Final = 32768.0
"""Root mean square of 0 dBov."""


def audio_level(pcm: bytes) -> int:
    """−dBov, 0–127, of signed 16-bit samples; "the root mean square of the digital samples" (RFC 6464 §3)."""
    loudness = audioop.rms(pcm, BYTES_PER_SAMPLE)
    return round(-20 * math.log10(loudness / FULL_SCALE)) if loudness else SILENCE
