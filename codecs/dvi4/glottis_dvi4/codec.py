"""What glottis calls: packets of DVI4 (RFC 3551 §4.5.1)."""

import struct
from array import array
from itertools import chain
from typing import Final

from glottis import CodecSpec, EncoderSettings, Malformed

from glottis_dvi4.adpcm import STEPS, State, decode, encode

SAMPLE_RATE: Final = 8000
_HEADER: Final = struct.Struct("!hBx")
"""The state in which the decoder begins: the predicted value, the index of the step, and a byte that is reserved."""
_REPEATED: Final = 160
"""Samples that stand in for lost ones: 20 ms."""


def payload_duration_untrusted(payload: bytes) -> int:
    """Two samples for each byte after the header, in units of the RTP clock. Raises ``Malformed``."""
    if len(payload) <= _HEADER.size:
        raise Malformed("DVI4: expected a header and at least one byte of samples")
    if payload[2] >= len(STEPS):
        raise Malformed(f"DVI4: expected an index of at most {len(STEPS) - 1}")
    return 2 * (len(payload) - _HEADER.size)


class Dvi4Encoder:
    """The state goes on from packet to packet, so that only the first begins with silence."""

    def __init__(self, settings: EncoderSettings) -> None:
        _check_rate(settings.sample_rate)
        self._frame_bytes = 2 * round(SAMPLE_RATE * settings.frame_ms / 1000)
        self._state = State()

    def encode(self, pcm: bytes) -> bytes:
        """One packet."""
        if len(pcm) != self._frame_bytes:
            raise ValueError(f"expected {self._frame_bytes} bytes, got {len(pcm)}")
        header = _HEADER.pack(self._state.predicted, self._state.index)
        codes, self._state = encode(array("h", pcm), self._state)
        return header + bytes(first << 4 | second for first, second in zip(codes[::2], codes[1::2], strict=True))

    def set_expected_loss(self, fraction: float) -> None:
        """There is no redundancy to add."""

    def set_bitrate(self, bits_per_second: int) -> None:
        """There is only one bitrate."""


class Dvi4Decoder:
    """Each packet says in which state it begins; what is remembered is for those that are lost."""

    def __init__(self, sample_rate: int) -> None:
        _check_rate(sample_rate)
        self._last = array("h", bytes(2 * _REPEATED))

    def decode(self, payload: bytes) -> bytes:
        """All samples of a packet."""
        payload_duration_untrusted(payload)
        predicted, index = _HEADER.unpack_from(payload)
        codes = chain.from_iterable((byte >> 4, byte & 15) for byte in payload[_HEADER.size :])
        samples = array("h", decode(codes, State(predicted, index)))
        self._last = (self._last + samples)[-_REPEATED:]
        return samples.tobytes()

    def decode_fec(self, next_payload: bytes, sample_count: int) -> bytes:
        """A packet has nothing of the one before it."""
        return self.conceal(sample_count)

    def conceal(self, sample_count: int) -> bytes:
        """What was heard last, and each time half as loud."""
        gap = array("h")
        while len(gap) < sample_count:
            self._last = array("h", (sample // 2 if sample > 0 else -(-sample // 2) for sample in self._last))
            gap += self._last
        return gap[:sample_count].tobytes()


def _check_rate(sample_rate: int) -> None:
    if sample_rate != SAMPLE_RATE:
        raise ValueError(f"DVI4 is for campaigns of {SAMPLE_RATE} Hz here, not of {sample_rate} Hz")


DVI4: Final = CodecSpec(
    encoding_name="DVI4",
    clock_rate=SAMPLE_RATE,
    create_encoder=Dvi4Encoder,
    create_decoder=Dvi4Decoder,
    payload_duration_untrusted=payload_duration_untrusted,
    static_payload_type=5,
    sample_rates=(SAMPLE_RATE,),
    frame_durations_ms=(10, 20, 30, 40, 60),
)
