"""Conversion between a coder's sample rate and the agent's, by libspeexdsp."""

from math import gcd
from typing import Final

from _cffi_backend import FFI

from ._spandsp import ffi, lib
from .payload import MAX_PAYLOAD_MS

QUALITY: Final = 3
"""SPEEX_RESAMPLER_QUALITY_VOIP: 1.5 ms of delay between 16 and 48 kHz; better filters delay more."""


class Resampler:
    """Converts a stream of mono samples from one rate to another, without drift.

    Input must come in multiples of ``input_group`` samples: each becomes ``output_group`` samples, exactly and at once.
    ``max_input`` is the largest number of samples for one call.
    """

    def __init__(self, from_rate: int, to_rate: int, max_input: int) -> None:
        common = gcd(from_rate, to_rate)
        self.input_group, self.output_group = from_rate // common, to_rate // common
        self._capacity = -(-max_input // self.input_group) * self.output_group
        self._output = ffi.new("int16_t[]", self._capacity)
        self._state = _create(from_rate, to_rate)

    def resample(self, samples: FFI.CData, count: int) -> tuple[FFI.CData, int]:
        """The converted samples and their number; valid until the next call."""
        written = lib.resample(self._state, samples, count, self._output, self._capacity)
        assert written * self.input_group == count * self.output_group, "the resampler lost step"
        return self._output, written


class SameRate:
    """Stands in for a ``Resampler`` where nothing has to be converted."""

    input_group = output_group = 1

    def resample(self, samples: FFI.CData, count: int) -> tuple[FFI.CData, int]:
        """What came in, not copied."""
        return samples, count


def create_resampler(from_rate: int, to_rate: int, max_input: int) -> Resampler | SameRate:
    """A converter between these rates in hertz, for at most ``max_input`` samples at once."""
    return SameRate() if from_rate == to_rate else Resampler(from_rate, to_rate, max_input)


def _create(from_rate: int, to_rate: int) -> FFI.CData:
    error = ffi.new("int *")
    state = lib.speex_resampler_init(1, from_rate, to_rate, QUALITY, error)
    if state == ffi.NULL:
        raise MemoryError(f"libspeexdsp: speex_resampler_init failed with {error[0]}")
    return ffi.gc(state, lib.speex_resampler_destroy)


class PcmResampler:
    """A ``glottis.Resampler``."""

    def __init__(self, from_rate: int, to_rate: int) -> None:
        self._resampler = create_resampler(from_rate, to_rate, from_rate * MAX_PAYLOAD_MS // 1000)

    def resample(self, pcm: bytes) -> bytes:
        """See ``glottis.Resampler.resample``; raises ``ValueError`` for what is no multiple of 10 ms."""
        count = len(pcm) // 2
        if count % self._resampler.input_group:
            raise ValueError(f"expected a multiple of {self._resampler.input_group} samples, got {count}")
        samples, written = self._resampler.resample(ffi.from_buffer("int16_t[]", pcm), count)
        resampled: bytes = ffi.buffer(samples, 2 * written)[:]
        return resampled


class SpeexResampling:
    """The ``glottis.Resampling`` of libspeexdsp."""

    def create_resampler(self, from_rate: int, to_rate: int) -> PcmResampler:
        """See ``glottis.Resampling.create_resampler``."""
        return PcmResampler(from_rate, to_rate)
