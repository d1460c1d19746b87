"""Codecs, made of a good one in pure Python."""

import ctypes
import itertools
import mmap
from array import array
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, ClassVar

from glottis import CodecSpec, Decoder, Encoder, EncoderSettings, Malformed

RATES = (8000, 16000)
LOST = 4 * mmap.PAGESIZE
LIBC = ctypes.CDLL(None)
LIBC.mmap.restype = ctypes.c_void_p
LIBC.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]


class LinearEncoder:
    """L16 without the byte swap; a payload starts with the number of samples per millisecond."""

    def __init__(self, settings: EncoderSettings) -> None:
        self.settings = settings
        self.rate = settings.sample_rate
        self.size = round(2 * settings.sample_rate * settings.frame_ms / 1000)

    def encode(self, pcm: bytes) -> bytes:
        if len(pcm) != self.size:
            raise ValueError(f"expected {self.size} bytes, got {len(pcm)}")
        return bytes([self.rate // 1000]) + pcm

    def set_expected_loss(self, fraction: float) -> None:
        pass

    def set_bitrate(self, bits_per_second: int) -> None:
        pass


class LinearDecoder:
    def __init__(self, sample_rate: int) -> None:
        self.rate = sample_rate

    def decode(self, payload: bytes) -> bytes:
        duration_untrusted(payload)
        if payload[0] != self.rate // 1000:
            raise Malformed("expected our own sample rate")
        return payload[1:]

    def decode_fec(self, next_payload: bytes, sample_count: int) -> bytes:
        return self.conceal(sample_count)

    def conceal(self, sample_count: int) -> bytes:
        return bytes(2 * sample_count)


def duration_untrusted(payload: bytes) -> int:
    if not payload or payload[0] not in (8, 16) or len(payload) % 2 == 0 or len(payload) == 1:
        raise Malformed("expected a rate and samples")
    duration, rest = divmod((len(payload) - 1) * 4, payload[0])
    if rest:
        raise Malformed("expected whole clock ticks")
    return duration


GOOD = CodecSpec(
    "LINEAR",
    8000,
    LinearEncoder,
    LinearDecoder,
    duration_untrusted,
    sample_rates=RATES,
    frame_durations_ms=(10, 20, 30),
)


def encoder_with(encode: Callable[[Any, bytes], bytes]) -> Callable[[EncoderSettings], Encoder]:
    return type("BadEncoder", (LinearEncoder,), {"encode": encode})


def decoder_with(**methods: object) -> Callable[[int], Decoder]:
    return type("BadDecoder", (LinearDecoder,), methods)


def with_encode(encode: Callable[[Any, bytes], bytes]) -> CodecSpec:
    return replace(GOOD, create_encoder=encoder_with(encode))


def with_decode(decode: Callable[[Any, bytes], bytes]) -> CodecSpec:
    return replace(GOOD, create_decoder=decoder_with(decode=decode))


def changed(payload: bytes, change: Callable[[int], int]) -> bytes:
    duration_untrusted(payload)
    return array("h", map(change, array("h", payload[1:]))).tobytes()


def doubled(payload: bytes) -> bytes:
    """Every other sample, twice over: an octave too high, at the right length."""
    duration_untrusted(payload)
    return 2 * b"".join(payload[i : i + 2] for i in range(1, len(payload), 4))


def exit_unless_wanted(decoder: LinearDecoder, payload: bytes) -> bytes:
    """As libraries do that were written for programs of their own."""
    try:
        return LinearDecoder.decode(decoder, payload)
    except Malformed:
        raise SystemExit("no such rate") from None


def exit_if_short(encoder: LinearEncoder, pcm: bytes) -> bytes:
    try:
        return LinearEncoder.encode(encoder, pcm)
    except ValueError:
        raise SystemExit(7) from None


class Fussy(LinearEncoder):
    """Knows no bitrate beyond its own."""

    def set_bitrate(self, bits_per_second: int) -> None:
        if bits_per_second > 64_000:
            raise ValueError("at most 64000 bits per second")


class Choosy(LinearEncoder):
    """Takes the middle of the scale only."""

    def __init__(self, settings: EncoderSettings) -> None:
        super().__init__(settings)
        if not 1 <= settings.complexity <= 9:
            raise ValueError("complexity: expected 1 to 9")


class Sharing(LinearDecoder):
    """Smooths over what the last decoder has heard, whoever that was."""

    last = b""

    def decode(self, payload: bytes) -> bytes:
        pcm = super().decode(payload)
        before, Sharing.last = Sharing.last, pcm
        return pcm if not before else changed_by(pcm, before)


def changed_by(pcm: bytes, before: bytes) -> bytes:
    return array("h", [array("h", before)[-1], *array("h", pcm)[1:]]).tobytes()


class Counting(LinearDecoder):
    """Each is a little louder than the one before it."""

    made = itertools.count()

    def __init__(self, sample_rate: int) -> None:
        super().__init__(sample_rate)
        self.gain = next(self.made) % 7

    def decode(self, payload: bytes) -> bytes:
        return changed(super().decode(payload) and payload, lambda sample: sample + self.gain)


class Humming(LinearDecoder):
    """Says the last frame again, for ever."""

    last = bytes(2)

    def decode(self, payload: bytes) -> bytes:
        self.last = super().decode(payload)
        return self.last

    def conceal(self, sample_count: int) -> bytes:
        return (self.last * (sample_count * 2 // len(self.last) + 1))[: 2 * sample_count]


class Startled(LinearDecoder):
    """Is deaf after a gap."""

    is_startled = False

    def decode(self, payload: bytes) -> bytes:
        return bytes(len(super().decode(payload))) if self.is_startled else super().decode(payload)

    def conceal(self, sample_count: int) -> bytes:
        self.is_startled = self.is_startled or sample_count > 40
        return bytes(2 * sample_count)


class Mumbling(LinearEncoder):
    """Sends half of a silent frame."""

    def encode(self, pcm: bytes) -> bytes:
        payload = super().encode(pcm)
        return payload if any(pcm) or not self.settings.dtx else payload[: len(payload) // 2 | 1]


class Slow(LinearDecoder):
    def decode(self, payload: bytes) -> bytes:
        for _ in range(600_000):
            pass
        return super().decode(payload)


class Hoarding(LinearDecoder):
    """Remembers all that were made."""

    made: ClassVar[list["Hoarding"]] = []

    def __init__(self, sample_rate: int) -> None:
        super().__init__(sample_rate)
        self.made.append(self)


class Remembering(LinearDecoder):
    """Keeps each payload, for the case that the next is lost."""

    def __init__(self, sample_rate: int) -> None:
        super().__init__(sample_rate)
        self.seen: list[bytes] = []

    def decode(self, payload: bytes) -> bytes:
        self.seen.append(bytes(bytearray(payload)))
        return super().decode(payload)


class Bloating(LinearDecoder):
    """Loses four pages of memory each time, fresh ones: what the process has freed before is not taken for them."""

    def __init__(self, sample_rate: int) -> None:
        super().__init__(sample_rate)
        pages = LIBC.mmap(None, LOST, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
        ctypes.memset(pages, 1, LOST)


BAD: Mapping[str, list[CodecSpec]] = {
    "description": [
        replace(GOOD, encoding_name=""),
        replace(GOOD, static_payload_type=111),
        replace(GOOD, offer_parameters={"rate": 1}),  # type: ignore[dict-item]
    ],
    "format-parameters": [
        replace(GOOD, answer_parameters=lambda offered: None),
        replace(GOOD, answer_parameters=lambda offered: {"a": "b;c"}),
    ],
    "lengths": [
        replace(GOOD, payload_duration_untrusted=lambda payload: 1),
        replace(GOOD, has_redundancy=lambda payload: None),  # type: ignore[arg-type, return-value]
        with_encode(lambda self, pcm: b""),
        with_encode(lambda self, pcm: bytearray(LinearEncoder.encode(self, pcm))),  # type: ignore[arg-type, return-value]
        with_decode(lambda self, payload: LinearDecoder.decode(self, payload)[:-2]),
        replace(GOOD, frame_durations_ms=(10, 20, 60)),
    ],
    "round-trip": [
        with_decode(lambda self, payload: changed(payload, lambda sample: sample // 8)),
        with_decode(lambda self, payload: doubled(payload)),
        with_decode(lambda self, payload: changed(payload, lambda sample: sample // 8192 * 8192)),
    ],
    "wrong-length": [
        with_encode(lambda self, pcm: LinearEncoder.encode(self, pcm.ljust(self.size))),
        with_encode(exit_if_short),
    ],
    "knobs": [replace(GOOD, create_encoder=Fussy), replace(GOOD, create_encoder=Choosy)],
    "independence": [replace(GOOD, create_decoder=Sharing)],
    "resets": [replace(GOOD, create_decoder=Counting)],
    "silence": [replace(GOOD, create_encoder=Mumbling)],
    "concealment": [
        replace(GOOD, create_decoder=decoder_with(conceal=lambda self, count: b"")),
        replace(GOOD, create_decoder=Humming),
    ],
    "recovery": [replace(GOOD, create_decoder=Startled)],
    "redundancy": [
        replace(GOOD, create_decoder=decoder_with(decode_fec=lambda self, payload, count: bytes(2))),
        replace(GOOD, in_band_redundancy=True),
        replace(GOOD, redundancy_reach=lambda payload: None),  # type: ignore[arg-type, return-value]
    ],
    "garbage": [
        with_decode(lambda self, payload: payload[1:] if payload[0] else b""),
        with_decode(exit_unless_wanted),
    ],
    "cost": [replace(GOOD, create_decoder=Slow)],
    "leaks": [replace(GOOD, create_decoder=made) for made in (Hoarding, Bloating, Remembering)],
}
