"""Echo cancellation and noise suppression for a device's microphone, by libspeexdsp."""

from collections.abc import Callable
from typing import Final

from _cffi_backend import FFI

from ._spandsp import ffi, lib

FRAME_MS: Final = 20


class SpeexEchoCanceller:
    """A ``glottis.EchoCanceller``: an adaptive filter (MDF), then the suppression of what it has left."""

    def __init__(self, sample_rate: int, tail_ms: int, noise_suppression_db: int) -> None:
        self._count = sample_rate * FRAME_MS // 1000
        self._output = ffi.new("int16_t[]", self._count)
        self._echo = _owned(
            lib.echo_new(self._count, sample_rate * tail_ms // 1000, sample_rate), lib.speex_echo_state_destroy
        )
        self._rest = _owned(
            lib.rest_new(self._count, sample_rate, self._echo, noise_suppression_db), lib.speex_preprocess_state_destroy
        )

    def cancel(self, captured: bytes, played: bytes) -> bytes:
        """See ``glottis.EchoCanceller.cancel``; raises ``ValueError`` for other lengths."""
        if not len(captured) == len(played) == 2 * self._count:
            raise ValueError(f"expected two frames of {self._count} samples")
        heard, loud = ffi.from_buffer("int16_t[]", captured), ffi.from_buffer("int16_t[]", played)
        lib.speex_echo_cancellation(self._echo, heard, loud, self._output)
        lib.speex_preprocess_run(self._rest, self._output)
        left: bytes = ffi.buffer(self._output)[:]
        return left


class SpeexEchoCancelling:
    """The ``glottis.EchoCancelling`` of libspeexdsp."""

    def create_canceller(self, sample_rate: int, tail_ms: int, noise_suppression_db: int) -> SpeexEchoCanceller:
        """See ``glottis.EchoCancelling.create_canceller``."""
        return SpeexEchoCanceller(sample_rate, tail_ms, noise_suppression_db)


def _owned(state: FFI.CData, destroy: Callable[[FFI.CData], None]) -> FFI.CData:
    if state == ffi.NULL:
        raise MemoryError("libspeexdsp has no memory for an echo canceller")
    owned: FFI.CData = ffi.gc(state, destroy)
    return owned
