"""Keys that are pressed as tones amid what is heard (ITU-T Q.23, Q.24), found by libspandsp."""

from typing import Final

from ._spandsp import ffi, lib
from .coders import allocated
from .payload import MAX_PAYLOAD_MS
from .resampler import create_resampler

SAMPLE_RATE: Final = 8000
"""Of libspandsp's detector, in hertz."""
MAX_DIGITS: Final = 128
"""That it keeps until they are fetched."""
_NO_KEYS: Final = (0, ord("x"))
"""Its status without a tone, and with one that may become a key."""


class DtmfDetector:
    """Of one stream of signed 16-bit mono at ``sample_rate`` hertz, one of ``SAMPLE_RATES``.

    A key counts once two blocks of 12.75 ms in a row hold it, and is up after two without.
    """

    def __init__(self, sample_rate: int) -> None:
        self._resampler = create_resampler(sample_rate, SAMPLE_RATE, sample_rate * MAX_PAYLOAD_MS // 1000)
        self._state = ffi.gc(allocated(lib.dtmf_new()), lib.dtmf_rx_free)
        self._digits = ffi.new("char[]", MAX_DIGITS + 1)

    def hear(self, pcm: bytes) -> str:
        """The keys that have gone down in these samples: whole multiples of 10 ms, up to 200 ms."""
        samples, count = self._resampler.resample(ffi.from_buffer("int16_t[]", pcm), len(pcm) // 2)
        lib.dtmf_rx(self._state, samples, count)
        return bytes(ffi.buffer(self._digits, lib.dtmf_rx_get(self._state, self._digits, MAX_DIGITS))).decode()

    @property
    def is_down(self) -> bool:
        """Whether a key is, at the end of what was heard."""
        return lib.dtmf_rx_status(self._state) not in _NO_KEYS
