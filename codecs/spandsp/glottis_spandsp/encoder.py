"""The encoder of all codecs here: resample if need be, then code."""

from glottis import EncoderSettings

from ._spandsp import ffi
from .coders import Coder
from .payload import BYTES_PER_SECOND, FRAME_DURATIONS_MS, SAMPLE_RATES
from .resampler import create_resampler


class SpandspEncoder:
    """Encodes mono frames of one duration at constant bitrate. Raises ``ValueError`` for an impossible setting."""

    def __init__(self, coder: Coder, settings: EncoderSettings) -> None:
        if settings.sample_rate not in SAMPLE_RATES:
            raise ValueError(f"expected a sample rate of {SAMPLE_RATES} Hz, got {settings.sample_rate} Hz")
        if settings.frame_ms not in FRAME_DURATIONS_MS:
            raise ValueError(f"expected a frame of {FRAME_DURATIONS_MS} ms, got {settings.frame_ms} ms")
        self._frame_samples = round(settings.sample_rate * settings.frame_ms / 1000)
        self._resampler = create_resampler(settings.sample_rate, coder.sample_rate, self._frame_samples)
        self._encode = coder.create_encode()
        self._payload = ffi.new("uint8_t[]", round(BYTES_PER_SECOND * settings.frame_ms / 1000))

    def encode(self, pcm: bytes) -> bytes:
        """Encode one frame. Raises ``ValueError`` for a wrong number of samples."""
        if len(pcm) != 2 * self._frame_samples:
            raise ValueError(f"expected {self._frame_samples} samples of 16 bits, got {len(pcm)} bytes")
        samples, count = self._resampler.resample(ffi.from_buffer("int16_t[]", pcm), self._frame_samples)
        payload: bytes = ffi.buffer(self._payload, self._encode(self._payload, samples, count))[:]
        return payload

    def set_expected_loss(self, fraction: float) -> None:
        """Nothing to prepare: the codec has no redundancy."""

    def set_bitrate(self, bits_per_second: int) -> None:
        """Nothing to choose: the codec has one bitrate."""
