"""The Opus decoder: packets, forward error correction and concealment."""

import os
from collections.abc import Callable
from time import perf_counter
from typing import Final

from _cffi_backend import FFI
from glottis import LocalError, Malformed
from glottis.contracts.codec import VIRTUAL_TIME

from .deep_redundancy import DEEP, DeepRedundancy
from .failures import raise_unless_ok, reason
from .library import ffi, lib
from .packet import CLOCK_RATE, MAX_DURATION_MS, SAMPLE_RATES, has_redundancy

MAX_PAYLOAD_BYTES: Final = 65535
"""No UDP datagram is longer."""

COMPLEXITY: Final = 5
"""Of a decoder, which libopus has from version 1.5 on: a neural network conceals what is lost ("deep PLC"), if it was
built with one. From 6 on, one would also change what is decoded."""
PLAIN: Final = 0
"""Of a decoder that conceals as libopus always did."""
SHARE: Final = 0.05
"""Of the time, for concealment of all calls of the process by a network, which takes 50 times as long: an outage of all
of them at once would hold up what they say."""


class Allowance:
    """Seconds for something costly; a ``share`` (0–1) of those that pass, and of one second at most.

    Whoever takes of it may owe something afterwards, and all wait until that is paid.
    """

    def __init__(self, share: float, clock: Callable[[], float] = perf_counter) -> None:
        self._share = share
        self._clock = clock
        self._left = share
        self._counted_at = clock()

    def begin(self) -> float | None:
        """The moment, for ``end``; None while there is nothing left."""
        now = self._clock()
        self._left = min(self._share, self._left + self._share * (now - self._counted_at))
        self._counted_at = now
        return now if self._left > 0 else None

    def end(self, began: float) -> None:
        """Count what it took."""
        self._left -= self._clock() - began


ALLOWANCE: Final = Allowance(SHARE)
UNLIMITED: Final = Allowance(1e9)

DEEP_FRAME_MS: Final = 20
"""What is decoded of deep redundancy at a time, as libopus' own programs do."""


class OpusDecoder:
    """Decodes one stream to mono at one of ``SAMPLE_RATES``, stereo packets included (libopus mixes them down)."""

    def __init__(self, sample_rate: int) -> None:
        if sample_rate not in SAMPLE_RATES:
            raise ValueError(f"Opus decodes to {SAMPLE_RATES} Hz, not to {sample_rate} Hz")
        self._state = _create(sample_rate)
        self._allowance = UNLIMITED if VIRTUAL_TIME in os.environ else ALLOWANCE
        self._has_complexity = self._set_complexity(COMPLEXITY)
        self._step = sample_rate // 400  # libopus conceals in steps of 2.5 ms
        self._capacity = sample_rate * MAX_DURATION_MS // 1000
        self._longest_deep = sample_rate * DEEP_FRAME_MS // 1000
        self._sample_rate = sample_rate
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

        The packet holds the frame just before it, and with deep redundancy what was before that; what is missing
        earlier, or all of it when the packet has no usable FEC, is concealed.
        """
        if not next_payload or sample_count <= 0:
            return self.conceal(sample_count)
        if DEEP is not None and (reach := DEEP.reach(next_payload)):
            return self._decode_deep(DEEP, next_payload, sample_count, self._samples_of(reach))
        return self._decode_frame_before(next_payload, sample_count)

    def _decode_deep(self, deep: DeepRedundancy, next_payload: bytes, sample_count: int, reach: int) -> bytes:
        """But for the frame just before the packet, if in-band FEC has it: that is better."""
        last = 0
        if has_redundancy(next_payload):
            last = lib.opus_packet_get_nb_samples(next_payload, len(next_payload), self._sample_rate)
        left = min(sample_count, max(reach, last))
        pieces = [self.conceal(sample_count - left)]
        began = self._allowance.begin() if left > last else None
        if began is not None:
            while left > last:
                count = min(left - last, self._longest_deep)
                if not deep.decode(next_payload, self._state, left, self._pcm, self._whole_steps(count)):
                    break
                pieces.append(self._samples(count))
                left -= count
            self._allowance.end(began)
        if left:
            pieces.append(self._decode_frame_before(next_payload, left))
        return b"".join(pieces)

    def _decode_frame_before(self, next_payload: bytes, sample_count: int) -> bytes:
        recovered = min(self._whole_steps(sample_count), self._capacity)
        concealed = self.conceal(sample_count - recovered)
        count = lib.opus_decode(self._state, next_payload, len(next_payload), self._pcm, recovered, 1)
        if count < 0:  # the packet is junk, and so will say ``decode``
            return concealed + self.conceal(sample_count - len(concealed) // 2)
        return concealed + self._samples(count)[-2 * sample_count :]

    def conceal(self, sample_count: int) -> bytes:
        """Continue the sound for this many samples; it fades to comfort noise or silence."""
        if not self._has_complexity or sample_count <= 0:
            return self._continue(sample_count)
        began = self._allowance.begin()
        if began is None:
            self._set_complexity(PLAIN)
            pcm = self._continue(sample_count)
            self._set_complexity(COMPLEXITY)  # for what is decoded: a network listens, and goes on from there
        else:
            pcm = self._continue(sample_count)
            self._allowance.end(began)
        return pcm

    def _set_complexity(self, complexity: int) -> bool:
        """Says whether this libopus has any."""
        result = lib.decoder_set(self._state, lib.OPUS_SET_COMPLEXITY_REQUEST, complexity)
        if result not in (lib.OPUS_OK, lib.OPUS_UNIMPLEMENTED):
            raise LocalError(f"libopus: a decoder refuses a complexity of {complexity}")
        return bool(result == lib.OPUS_OK)

    def _continue(self, sample_count: int) -> bytes:
        pieces = []
        while sample_count > 0:
            count = min(self._whole_steps(sample_count), self._capacity)
            if lib.opus_decode(self._state, ffi.NULL, 0, self._pcm, count, 0) != count:
                raise LocalError("libopus could not conceal a gap")
            pieces.append(self._samples(min(count, sample_count)))
            sample_count -= count
        return b"".join(pieces)

    def _samples_of(self, clock_units: int) -> int:
        return clock_units * self._sample_rate // CLOCK_RATE

    def _whole_steps(self, sample_count: int) -> int:
        return -(-sample_count // self._step) * self._step

    def _samples(self, count: int) -> bytes:
        pcm: bytes = ffi.buffer(self._pcm, 2 * count)[:]
        return pcm


def _create(sample_rate: int) -> FFI.CData:
    error = ffi.new("int *")
    state = lib.opus_decoder_create(sample_rate, 1, error)
    raise_unless_ok(error[0], "opus_decoder_create")
    return ffi.gc(state, lib.opus_decoder_destroy, lib.opus_decoder_get_size(1))
