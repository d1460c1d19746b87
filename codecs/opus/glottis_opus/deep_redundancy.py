"""Deep redundancy (DRED): a coarse copy of what was said before a packet, from libopus 1.5 on, if it was built with it.

It is in the padding of a packet, so a receiver that does not know it decodes the packet as ever
(draft-ietf-mlcodec-opus-dred).
"""

import logging
from functools import cache
from typing import Final

from _cffi_backend import FFI

from .failures import raise_unless_ok
from .library import VERSION, ffi, lib
from .packet import CLOCK_RATE

LONGEST: Final = CLOCK_RATE // 5
"""Units of the RTP clock before a packet, that are looked for: nobody waits longer, and a network has to work for each
40 ms."""
MIN_COMPLEXITY: Final = 7
"""Of an encoder: below, libopus 1.5 leaves out the copies, but not what it has saved for them."""
UNIT_MS: Final = 10
"""Of what an encoder is told."""
FROM_LOSS: Final = 8
"""Per cent: below, in-band FEC alone is as good."""
TOLD_LOSS: Final = 20
"""Per cent: for less, libopus 1.5 has no bits for copies beside in-band FEC."""
WASTED: Final = range(36_384, 40_000)
"""Bits per second: from there on copies of libopus 1.5 are finer, and for want of bits one where there were three."""

_log = logging.getLogger(__name__)


class DeepRedundancy:
    """What is in one packet, and in the next one that is asked for: codecs are used by one thread."""

    def __init__(self) -> None:
        error = ffi.new("int *")
        self._decoder = lib.opus_dred_decoder_create(error)
        raise_unless_ok(error[0], "opus_dred_decoder_create")
        self._found = lib.opus_dred_alloc(error)
        raise_unless_ok(error[0], "opus_dred_alloc")
        self._end = ffi.new("int *")
        self._payload = b""
        self._reach = 0
        self._is_processed = False
        self.is_built_in = self._parse(b"\x08\0") != lib.OPUS_UNIMPLEMENTED

    def reach(self, payload: bytes) -> int:
        """How much it holds from before the packet, in units of the RTP clock; 0 where it holds nothing."""
        if payload is not self._payload:
            self._reach = min(max(self._parse(payload), 0), LONGEST)
            self._payload, self._is_processed = payload, False
        return self._reach

    def decode(self, payload: bytes, state: FFI.CData, distance: int, pcm: FFI.CData, count: int) -> bool:
        """Write ``count`` samples to ``pcm`` that begin ``distance`` samples before ``payload``; says whether it could.

        ``state`` is the decoder of the stream, and samples are at its rate.
        """
        if not self.reach(payload):
            return False
        if not self._is_processed:
            self._is_processed = lib.opus_dred_process(self._decoder, self._found, self._found) == lib.OPUS_OK
        return self._is_processed and lib.opus_decoder_dred_decode(state, self._found, distance, pcm, count) == count

    def _parse(self, payload: bytes) -> int:
        """Or an error, below 0."""
        return lib.opus_dred_parse(self._decoder, self._found, payload, len(payload), LONGEST, CLOCK_RATE, self._end, 1)


def _open() -> DeepRedundancy | None:
    deep = DeepRedundancy() if lib.has_dred() else None
    return deep if deep is not None and deep.is_built_in else None


DEEP: Final = _open()
"""None where this libopus has none."""


def redundancy_reach(payload: bytes) -> int:
    """Of a received packet, in units of the RTP clock: see ``CodecSpec.redundancy_reach``."""
    return DEEP.reach(payload) if DEEP is not None else 0


def told_loss(percent: int) -> int:
    """What an encoder is told, so that it makes copies."""
    return max(percent, TOLD_LOSS) if percent >= FROM_LOSS else percent


def useful_bitrate(bits_per_second: int) -> int:
    """The same, or the next lower one that is better."""
    return WASTED.start - 1 if bits_per_second in WASTED else bits_per_second


def possible_ms(wanted_ms: int, complexity: int) -> int:
    """How much packets can hold of it. Where that is nothing, the log says why, once."""
    if wanted_ms and DEEP is None:
        tell_once(f"dred_ms has no effect: {VERSION} was built without deep redundancy")
        return 0
    if wanted_ms and complexity < MIN_COMPLEXITY:
        tell_once(f"dred_ms has no effect with a complexity of {complexity}: it takes {MIN_COMPLEXITY} or more")
    return wanted_ms


@cache
def tell_once(what: str) -> None:
    """In the log."""
    _log.warning(what)
