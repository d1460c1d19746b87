"""The extension ``inband-dtmf``: keys that callers press as tones in what they say are keys of ``call.dtmf``, too."""

from collections.abc import Sequence

from glottis import Direction, FrameTap, Keys, hookimpl

from glottis_inband_dtmf.listener import ToneListener

__all__ = ["ToneListener"]


@hookimpl
def audio_processors(direction: Direction, keys: Keys) -> Sequence[FrameTap]:
    """A listener for what each caller says."""
    return [ToneListener(keys).process] if direction == "input" else []
