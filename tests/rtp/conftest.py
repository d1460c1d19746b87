"""Codecs whose output tells where each sample came from, and a clockwork that carries packets on virtual time."""

import heapq
import random
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count
from types import SimpleNamespace

import pytest
from glottis import AudioFrame, CodecSpec, EncodedPacket, Malformed
from glottis.rtp.payload import PlainReader, PlainWriter
from glottis.rtp.receiver import AudioReceiver
from glottis.rtp.sender import AudioSender
from glottis.testing.impairments import PERFECT, Impairments
from glottis.wire.rtp import build_rtp, parse_rtp_untrusted
from glottis.wire.rtp_extensions import find_extensions_untrusted

CONCEALED = -1
"""The value of every sample that the linear codec's decoder has invented."""
RECOVERED = -2
"""The value of every sample that it has recovered from the packet after."""
REFUSED = b"\xff" * 7
"""A payload that it refuses to decode, of a duration that it does not refuse to tell."""


def pcm_of(values: Iterable[int]) -> bytes:
    values = list(values)
    return struct.pack(f"={len(values)}h", *values)


def values_of(pcm: bytes) -> list[int]:
    return list(struct.unpack(f"={len(pcm) // 2}h", pcm))


def extensions_of(packet: bytes) -> dict[int, bytes]:
    extension = parse_rtp_untrusted(packet).extension
    return {number: extension[place] for number, place in find_extensions_untrusted(extension).items()}


class LinearDecoder:
    """Payloads are samples; ``up`` of them are heard for each, so that rates above the clock can be had."""

    def __init__(self, up: int) -> None:
        self.up = up

    def decode(self, payload: bytes) -> bytes:
        if payload == REFUSED:
            raise Malformed("linear: refused")
        if self.up == 1:
            return payload
        return pcm_of(value for value in values_of(payload) for _ in range(self.up))

    def decode_fec(self, next_payload: bytes, sample_count: int) -> bytes:
        return pcm_of([RECOVERED] * sample_count)

    def conceal(self, sample_count: int) -> bytes:
        return pcm_of([CONCEALED] * sample_count)


class LinearEncoder:
    """Encodes to what it was given; nothing for frames that are silent, if ``dtx``."""

    def __init__(self, dtx: bool = False) -> None:
        self.dtx = dtx

    def encode(self, pcm: bytes) -> bytes:
        return b"" if self.dtx and not any(pcm) else pcm

    def set_expected_loss(self, fraction: float) -> None: ...
    def set_bitrate(self, bits_per_second: int) -> None: ...


def linear_duration(payload: bytes) -> int:
    if len(payload) % 2 and payload != REFUSED:
        raise Malformed("linear: expected whole samples")
    return 160 if payload == REFUSED else len(payload) // 2


def linear_codec(clock_rate: int = 8000, name: str = "linear") -> CodecSpec:
    return CodecSpec(
        name,
        clock_rate,
        create_encoder=lambda settings: LinearEncoder(settings.dtx),
        create_decoder=lambda sample_rate: LinearDecoder(sample_rate // clock_rate),
        payload_duration_untrusted=linear_duration,
    )


class EightBit:
    """Like G.711: a byte for each sample, the upper half of it; both coder and decoder, at 8 kHz."""

    def encode(self, pcm: bytes) -> bytes:
        return bytes(value >> 8 & 0xFF for value in values_of(pcm))

    def set_expected_loss(self, fraction: float) -> None: ...
    def set_bitrate(self, bits_per_second: int) -> None: ...

    def decode(self, payload: bytes) -> bytes:
        return pcm_of((byte << 8) - (byte >> 7 << 16) for byte in payload)

    def decode_fec(self, next_payload: bytes, sample_count: int) -> bytes:
        return self.conceal(sample_count)

    def conceal(self, sample_count: int) -> bytes:
        return bytes(2 * sample_count)


EIGHT_BIT = CodecSpec("eight-bit", 8000, lambda settings: EightBit(), lambda sample_rate: EightBit(), len)


@dataclass
class Clockwork:
    """Carries RTP packets to a receiver, impaired or at given times, and ticks every 20 ms."""

    receiver: AudioReceiver
    impairments: Impairments = PERFECT
    seed: int = 1
    now: float = 0.0
    tick_ms: float = 20
    frames: list[AudioFrame | None] = field(default_factory=list)
    packets: list[list[EncodedPacket]] = field(default_factory=list)
    _in_flight: list[tuple[float, int, bytes]] = field(default_factory=list)
    _order: Iterator[int] = field(default_factory=count)
    _ticks: int = 0
    _stood_still_until: float = 0.0

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)

    def send(self, packet: bytes, at: float) -> None:
        for arrival in self.impairments.arrivals(at, self.rng):
            heapq.heappush(self._in_flight, (arrival, next(self._order), packet))

    def run(self, seconds: float, *, encoded: bool = False) -> None:
        """Ticks come half a millisecond after the packets sent at the same multiple of 20 ms."""
        for _ in range(round(seconds * 1000 / self.tick_ms)):
            self.now = self._ticks * self.tick_ms / 1000 + 0.0005
            self._ticks += 1
            while self._in_flight and self._in_flight[0][0] <= self.now:
                arrival, _, packet = heapq.heappop(self._in_flight)
                self.receiver.handle_rtp(packet, max(arrival, self._stood_still_until))
            if encoded:
                self.packets.append(self.receiver.next_packets(self.now))
            else:
                self.frames.append(self.receiver.next_frame(self.now))

    def stand_still(self, seconds: float) -> None:
        """Nothing is read, and no tick comes; then one that is late, before what has come meanwhile is read."""
        self._ticks += round(seconds * 1000 / self.tick_ms)
        self.now = self._stood_still_until = self._ticks * self.tick_ms / 1000
        self.frames.append(self.receiver.next_frame(self.now))

    def heard(self) -> list[int]:
        """All samples of all frames, in order."""
        return [value for frame in self.frames if frame is not None for value in values_of(frame.pcm)]


def linear_stream(
    packet_count: int,
    *,
    samples: int = 160,
    first: int = 0,
    sequence: int = 100,
    timestamp: int = 5000,
    ssrc: int = 7,
    payload_type: int = 96,
) -> list[bytes]:
    """Packets of the linear codec; sample number ``n`` of the stream has the value ``n % 30000``."""
    return [
        build_rtp(
            payload_type,
            (sequence + index) & 0xFFFF,
            (timestamp + index * samples) & 0xFFFFFFFF,
            ssrc,
            pcm_of((first + index * samples + offset) % 30000 for offset in range(samples)),
        )
        for index in range(packet_count)
    ]


@pytest.fixture(scope="session")
def media() -> SimpleNamespace:
    """What tests of this room share."""
    return SimpleNamespace(
        CONCEALED=CONCEALED,
        RECOVERED=RECOVERED,
        REFUSED=REFUSED,
        EIGHT_BIT=EIGHT_BIT,
        Clockwork=Clockwork,
        EightBit=EightBit,
        LinearEncoder=LinearEncoder,
        extensions_of=extensions_of,
        linear_codec=linear_codec,
        linear_stream=linear_stream,
        pcm_of=pcm_of,
        values_of=values_of,
    )


@pytest.fixture
def receiver() -> AudioReceiver:
    """Of the linear codec as payload type 96, at its clock of 8 kHz."""
    return AudioReceiver({96: PlainReader(linear_codec())}, sample_rate=8000)


@pytest.fixture
def clockwork(receiver: AudioReceiver) -> Clockwork:
    return Clockwork(receiver)


@pytest.fixture
def linear_sender() -> AudioSender:
    """Of the linear codec as payload type 96, at its clock of 8 kHz."""
    return AudioSender(
        ssrc=1,
        writer=PlainWriter(96),
        codec=linear_codec(),
        encoder=LinearEncoder(),
        sample_rate=8000,
        rng=random.Random(1),
    )
