"""The coders of libspandsp: samples at a coder's own rate <-> bytes at 64 kbit/s."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple

from _cffi_backend import FFI

from ._spandsp import ffi, lib

G722_BITS_PER_SECOND: Final = 64000
"""The only rate that RFC 3551 defines for RTP (section 4.5.2)."""

Encode = Callable[[FFI.CData, FFI.CData, int], int]
"""``encode(bytes_out, samples, sample_count)`` returns the number of bytes."""

Decode = Callable[[FFI.CData, bytes, int], int]
"""``decode(samples_out, payload, byte_count)`` returns the number of samples."""


Conceal = Callable[[FFI.CData, FFI.CData, int], None]
"""``conceal(concealer, samples_out, sample_count)`` goes on with what was heard."""

Bridge = Callable[[FFI.CData, bytes, int, FFI.CData, int], None]
"""``bridge(concealer, next_payload, byte_count, samples_out, sample_count)`` leads to what comes next."""


class Decoding(NamedTuple):
    """What can be done with the state of one decoder."""

    decode: Decode
    conceal: Conceal
    bridge: Bridge


@dataclass(frozen=True, slots=True)
class Coder:
    """One coder at one rate of its samples, in hertz."""

    sample_rate: int
    create_encode: Callable[[], Encode]
    create_decoding: Callable[[], Decoding]


def g711_coder(law: int) -> Coder:
    """G.711 with ``G711_ULAW`` or ``G711_ALAW``."""

    def create_state() -> FFI.CData:
        return ffi.gc(allocated(lib.g711_init(ffi.NULL, law)), lib.g711_free)

    def create_decoding() -> Decoding:
        state = create_state()
        return Decoding(
            partial(lib.g711_decode, state), partial(lib.g711_conceal, state), partial(lib.g711_bridge, state)
        )

    return Coder(8000, lambda: partial(lib.g711_encode, create_state()), create_decoding)


def g722_coder(sample_rate: int) -> Coder:
    """G.722 from and to 16 kHz; or 8 kHz, where libspandsp passes by the upper band and its filters."""
    options = lib.G722_SAMPLE_RATE_8000 if sample_rate == 8000 else 0

    def create_encode() -> Encode:
        state = allocated(lib.g722_encode_init(ffi.NULL, G722_BITS_PER_SECOND, options))
        return partial(lib.g722_encode, ffi.gc(state, lib.g722_encode_free))

    def create_decoding() -> Decoding:
        state = allocated(lib.g722_decode_init(ffi.NULL, G722_BITS_PER_SECOND, options))
        state = ffi.gc(state, lib.g722_decode_free)
        return Decoding(
            partial(lib.g722_decode, state), partial(lib.g722_conceal, state), partial(lib.g722_bridge, state)
        )

    return Coder(sample_rate, create_encode, create_decoding)


def allocated(state: FFI.CData) -> FFI.CData:
    """A new state of libspandsp; raises ``MemoryError`` if it is none."""
    if state == ffi.NULL:
        raise MemoryError("libspandsp could not allocate its state")
    return state


ULAW: Final = g711_coder(lib.G711_ULAW)
ALAW: Final = g711_coder(lib.G711_ALAW)
G722_NARROWBAND: Final = g722_coder(8000)
G722_WIDEBAND: Final = g722_coder(16000)
