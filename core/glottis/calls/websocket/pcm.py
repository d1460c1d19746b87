"""Uncompressed audio as a codec, so that it goes the way of all codecs: jitter buffer, playout, sender."""

from functools import partial
from typing import Final

from glottis.calls.websocket.samples import FROM_WIRE, TO_WIRE
from glottis.contracts.audio import BYTES_PER_SAMPLE
from glottis.contracts.codec import CodecSpec, EncoderSettings
from glottis.contracts.errors import Malformed
from glottis.contracts.resampling import Resampler, Resampling

PCM: Final = "PCM"
RATES: Final = (8000, 12000, 16000, 24000, 32000, 44100, 48000)
"""Hertz: those with whole samples in 10 ms, as frames of any duration need them."""
FRAMES_MS: Final = (10, 20, 30, 40, 50, 60)


class _SameRate:
    """In place of a ``Resampler`` where nothing is to be converted."""

    def resample(self, pcm: bytes) -> bytes:
        return pcm


def pcm_codec(sample_rate: int, bits_per_sample: int, resampling: Resampling | None) -> CodecSpec:
    """Linear PCM of this rate and width on the wire; without ``resampling`` it is for agents of the same rate only."""
    width = bits_per_sample // 8

    def resampler(from_rate: int, to_rate: int) -> Resampler:
        if from_rate == to_rate:
            return _SameRate()
        assert resampling is not None, "formats of another rate are refused without a resampler"
        return resampling.create_resampler(from_rate, to_rate)

    def create_encoder(settings: EncoderSettings) -> PcmEncoder:
        return PcmEncoder(bits_per_sample, resampler(settings.sample_rate, sample_rate))

    def create_decoder(rate: int) -> PcmDecoder:
        return PcmDecoder(bits_per_sample, resampler(sample_rate, rate))

    return CodecSpec(
        encoding_name=PCM,
        clock_rate=sample_rate,
        create_encoder=create_encoder,
        create_decoder=create_decoder,
        payload_duration_untrusted=partial(_duration_untrusted, width),
        frame_durations_ms=FRAMES_MS,
    )


class PcmEncoder:
    """Samples of the agent's rate to those of the wire."""

    __slots__ = ("_convert", "_resample")

    def __init__(self, bits_per_sample: int, resampler: Resampler) -> None:
        self._convert = TO_WIRE[bits_per_sample]
        self._resample = resampler.resample

    def encode(self, pcm: bytes) -> bytes:
        """See ``Encoder.encode``."""
        return self._convert(self._resample(pcm))

    def set_expected_loss(self, fraction: float) -> None:
        """Nothing to prepare."""

    def set_bitrate(self, bits_per_second: int) -> None:
        """Nothing to choose."""


class PcmDecoder:
    """Samples of the wire to those of the agent's rate."""

    __slots__ = ("_convert", "_last", "_resample")

    def __init__(self, bits_per_sample: int, resampler: Resampler) -> None:
        self._convert = FROM_WIRE[bits_per_sample]
        self._resample = resampler.resample
        self._last = 0
        """The sample that was heard last."""

    def decode(self, payload: bytes) -> bytes:
        """See ``Decoder.decode``."""
        pcm = self._resample(self._convert(payload))
        self._last = int.from_bytes(pcm[-BYTES_PER_SAMPLE:], "little", signed=True)
        return pcm

    def decode_fec(self, next_payload: bytes, sample_count: int) -> bytes:
        """Conceal: there is no redundancy."""
        return self.conceal(sample_count)

    def conceal(self, sample_count: int) -> bytes:
        """Fade from the last sample to silence, so that nothing clicks: TCP loses nothing, and here nobody speaks."""
        last, self._last = self._last, 0
        fading = min(sample_count, abs(last), 64)
        steps = (last * (fading - step) // fading for step in range(1, fading + 1))
        faded = b"".join(sample.to_bytes(BYTES_PER_SAMPLE, "little", signed=True) for sample in steps)
        return faded.ljust(sample_count * BYTES_PER_SAMPLE, b"\0")


def _duration_untrusted(width: int, payload: bytes) -> int:
    samples, odd = divmod(len(payload), width)
    if odd:
        raise Malformed(f"PCM: expected whole samples of {width} bytes")
    return samples
