"""The decoder of all codecs here: decode, conceal what is missing, resample if need be."""

from ._spandsp import ffi, lib
from .coders import Coder, allocated
from .payload import MAX_PAYLOAD_BYTES, MAX_PAYLOAD_MS, SAMPLE_RATES, payload_duration_untrusted
from .resampler import create_resampler


class SpandspDecoder:
    """Decodes one stream to mono at one of ``SAMPLE_RATES``; ``ValueError`` for another.

    Every sample passes the concealer (``concealment.c``), which learns from it, and fades into the first after a gap.
    """

    def __init__(self, coder: Coder, sample_rate: int) -> None:
        if sample_rate not in SAMPLE_RATES:
            raise ValueError(f"expected a sample rate of {SAMPLE_RATES} Hz, got {sample_rate} Hz")
        self._capacity = coder.sample_rate * MAX_PAYLOAD_MS // 1000
        self._samples = ffi.new("int16_t[]", self._capacity)
        self._decode, self._conceal, self._bridge = coder.create_decoding()
        self._concealer = ffi.gc(allocated(lib.concealer_new(coder.sample_rate)), lib.concealer_free)
        self._resampler = create_resampler(coder.sample_rate, sample_rate, self._capacity)

    def decode(self, payload: bytes) -> bytes:
        """Decode one packet of up to 200 ms. Raises ``Malformed``."""
        size = payload_duration_untrusted(payload)
        count = self._decode(self._samples, payload, size)
        lib.concealer_hear(self._concealer, self._samples, count)
        return self._resampled(count)

    def decode_fec(self, next_payload: bytes, sample_count: int) -> bytes:
        """Conceal, so that it leads to what comes next: these codecs have no redundancy."""
        size = len(next_payload)
        if not 0 < size <= MAX_PAYLOAD_BYTES or sample_count <= 0:
            return self.conceal(sample_count)
        count = min(self._samples_behind(sample_count), self._capacity)
        bridged = min(sample_count, count * self._resampler.output_group // self._resampler.input_group)
        concealed = self.conceal(sample_count - bridged)
        self._bridge(self._concealer, next_payload, size, self._samples, count)
        return concealed + self._resampled(count)[: 2 * bridged]

    def conceal(self, sample_count: int) -> bytes:
        """Go on with the voice for this many samples, fading to silence within 100 ms."""
        pieces = []
        while sample_count > 0:
            count = min(self._samples_behind(sample_count), self._capacity)
            self._conceal(self._concealer, self._samples, count)
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
