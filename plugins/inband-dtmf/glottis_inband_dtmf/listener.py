"""Hears keys in frames that pass by."""

from glottis import AudioFrame, Keys
from glottis_spandsp import DtmfDetector


class ToneListener:
    """Of one call. Frames go on as they came, with the tones in them."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._detector: DtmfDetector | None = None
        """Made with the first frame, which tells the sample rate."""
        self._seconds: float | None = None
        """For which the key pressed last is down; None while none is."""

    def process(self, frame: AudioFrame) -> AudioFrame:
        """Listen to the frame."""
        detector = self._detector
        if detector is None:
            detector = self._detector = DtmfDetector(frame.sample_rate)
        for digit in detector.hear(frame.pcm):
            self._release()
            self._keys.down(digit)
            self._seconds = 0.0
        if self._seconds is not None:
            self._seconds += frame.duration
            if not detector.is_down:
                self._release()
        return frame

    def _release(self) -> None:
        if self._seconds is not None:
            self._keys.up(self._seconds)
            self._seconds = None
