"""The Opus decoder: packets, forward error correction and concealment."""

from typing import Final

from _cffi_backend import FFI
from glottis import LocalError, Malformed

from ._opus import ffi, lib
from .failures import raise_unless_ok, reason
from .packet import MAX_DURATION_MS, SAMPLE_RATES

MAX_PAYLOAD_BYTES: Final = 65535
"""No UDP datagram is longer."""

COMPLEXITY: Final = 5
"""Of a decoder, which libopus has from version 1.5 on: a neural network conceals what is lost ("deep PLC"), if it was
built with one. From 6 on, one would also change what is decoded."""


class OpusDecoder:
    """Decodes one stream to mono at one of ``SAMPLE_RATES``, stereo packets included (libopus mixes them down)."""

    def __init__(self, sample_rate: int) -> None:
        if sample_rate not in SAMPLE_RATES:
            raise ValueError(f"Opus decodes to {SAMPLE_RATES} Hz, not to {sample_rate} Hz")
        self._state = _create(sample_rate)
        self._step = sample_rate // 400  # libopus conceals in steps of 2.5 ms
        self._capacity = sample_rate * MAX_DURATION_MS // 1000
        self._pcm = ffi.new("opus_int16[]", self._capacity)

    def decode(self, payload: bytes) -> bytes:
        """Decode one packet of up to 120 ms. Raises ``Malformed``."""
        if not 0 < len(payload) <= MAX_PAYLOAD_BYTES:  # libopus takes an empty payload for a lost one
            raise Malformed(f"an Opus packet has 1 to {MAX_PAYLOAD_BYTES} bytes, not {len(payload)}")
        count = lib.opus_decode(self._state, payload, len(payload), self._pcm, self._capacity, 0)
        if count < 0:
            raise Malformed(f"libopus cannot decode the packet: {reason(count)}")
        return self._samples(count)

    def decode_fec(self, next_payload: bytes, sample_count: int) -> bytes:
        """Recover lost samples from the in-band FEC of the packet after them.

        The packet holds the frame just before it; what is missing before that frame, or all of it when the packet has
        no usable FEC, is concealed.
        """
        if not next_payload or sample_count <= 0:
            return self.conceal(sample_count)
        recovered = min(self._whole_steps(sample_count), self._capacity)
        concealed = self.conceal(sample_count - recovered)
        count = lib.opus_decode(self._state, next_payload, len(next_payload), self._pcm, recovered, 1)
        if count < 0:  # the packet is junk, and so will say ``decode``
            return concealed + self.conceal(sample_count - len(concealed) // 2)
        return concealed + self._samples(count)[-2 * sample_count :]

    def conceal(self, sample_count: int) -> bytes:
        """Continue the sound for this many samples; it fades to comfort noise or silence."""
        pieces = []
        while sample_count > 0:
            count = min(self._whole_steps(sample_count), self._capacity)
            if lib.opus_decode(self._state, ffi.NULL, 0, self._pcm, count, 0) != count:
                raise LocalError("libopus could not conceal a gap")
            pieces.append(self._samples(min(count, sample_count)))
            sample_count -= count
        return b"".join(pieces)

    def _whole_steps(self, sample_count: int) -> int:
        return -(-sample_count // self._step) * self._step

    def _samples(self, count: int) -> bytes:
        pcm: bytes = ffi.buffer(self._pcm, 2 * count)[:]
        return pcm


def _create(sample_rate: int) -> FFI.CData:
    error = ffi.new("int *")
    state = lib.opus_decoder_create(sample_rate, 1, error)
    raise_unless_ok(error[0], "opus_decoder_create")
    if lib.decoder_set(state, lib.OPUS_SET_COMPLEXITY_REQUEST, COMPLEXITY) not in (lib.OPUS_OK, lib.OPUS_UNIMPLEMENTED):
        raise LocalError(f"libopus: a decoder refuses a complexity of {COMPLEXITY}")
    return ffi.gc(state, lib.opus_decoder_destroy, lib.opus_decoder_get_size(1))
