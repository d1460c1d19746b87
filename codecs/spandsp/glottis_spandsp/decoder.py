"""The decoder of all codecs here: decode, conceal what is missing, resample if need be."""

from ._spandsp import ffi, lib
from .coders import Coder, allocated
from .payload import MAX_PAYLOAD_MS, SAMPLE_RATES, payload_duration_untrusted
from .resampler import create_resampler


class SpandspDecoder:
    """Decodes one stream to mono at one of ``SAMPLE_RATES``; ``ValueError`` for another.

    Every sample passes libspandsp's concealer, which learns from it, and blends the first sound after a gap.
    """

    def __init__(self, coder: Coder, sample_rate: int) -> None:
        if sample_rate not in SAMPLE_RATES:
            raise ValueError(f"expected a sample rate of {SAMPLE_RATES} Hz, got {sample_rate} Hz")
        self._capacity = coder.sample_rate * MAX_PAYLOAD_MS // 1000
        self._samples = ffi.new("int16_t[]", self._capacity)
        self._decode = coder.create_decode()
        self._concealer = ffi.gc(allocated(lib.plc_init(ffi.NULL)), lib.plc_free)
        self._resampler = create_resampler(coder.sample_rate, sample_rate, self._capacity)

    def decode(self, payload: bytes) -> bytes:
        """Decode one packet of up to 200 ms. Raises ``Malformed``."""
        size = payload_duration_untrusted(payload)
        count = self._decode(self._samples, payload, size)
        lib.plc_rx(self._concealer, self._samples, count)
        return self._resampled(count)

    def decode_fec(self, next_payload: bytes, sample_count: int) -> bytes:
        """Conceal: these codecs have no redundancy."""
        return self.conceal(sample_count)

    def conceal(self, sample_count: int) -> bytes:
        """Repeat the last pitch period for this many samples, fading to silence."""
        pieces = []
        while sample_count > 0:
            count = min(self._samples_behind(sample_count), self._capacity)
            lib.plc_fillin(self._concealer, self._samples, count)
            pieces.append(self._resampled(count)[: 2 * sample_count])
            sample_count -= len(pieces[-1]) // 2
        return b"".join(pieces)

    def _samples_behind(self, sample_count: int) -> int:
        """How many samples of the coder make at least this many of ours, in whole groups of the resampler."""
        return -(-sample_count // self._resampler.output_group) * self._resampler.input_group

    def _resampled(self, count: int) -> bytes:
        samples, count = self._resampler.resample(self._samples, count)
        pcm: bytes = ffi.buffer(samples, 2 * count)[:]
        return pcm
