"""A sender of another codec goes on from the one before, on the same SSRC."""

import random
from collections.abc import Callable
from itertools import pairwise
from types import SimpleNamespace

import pytest
from glottis import EncodedPacket
from glottis.rtp.payload import PlainWriter
from glottis.rtp.sender import AudioSender
from glottis.wire.rtp import RtpPacket, parse_rtp_untrusted

MakeSender = Callable[..., AudioSender]


@pytest.fixture(scope="module")
def make_sender(media: SimpleNamespace) -> MakeSender:
    def make(payload_type: int, clock_rate: int = 8000, frame_ms: float = 20, seed: int = 1) -> AudioSender:
        return AudioSender(
            ssrc=7,
            writer=PlainWriter(payload_type),
            codec=media.linear_codec(clock_rate),
            encoder=media.LinearEncoder(False),
            sample_rate=8000,
            frame_ms=frame_ms,
            rng=random.Random(seed),
        )

    return make


def run(sender: AudioSender, ticks: int, start: float) -> list[RtpPacket]:
    moments = [start + 0.02 * index for index in range(ticks)]
    return [parse_rtp_untrusted(packet) for now in moments for packet in sender.next_packets(now)]


@pytest.mark.parametrize(("clock_rate", "frame_ms"), [(8000, 20), (48000, 20), (8000, 40)])
def test_numbers_time_and_speech_go_on(
    make_sender: MakeSender, media: SimpleNamespace, clock_rate: int, frame_ms: int
) -> None:
    old, new = make_sender(96), make_sender(97, clock_rate, frame_ms, seed=2)
    old.write(media.pcm_of(range(1, 1601)))
    before = run(old, 4, 0.0)
    new.go_on_from(old)
    assert new.queued == pytest.approx(0.12)
    after = run(new, 8, 0.08)
    numbers = [packet.sequence_number for packet in before + after]
    assert {second - first for first, second in pairwise(numbers)} == {1}
    assert after[0].timestamp == before[-1].timestamp + 160 & 0xFFFFFFFF
    assert after[0].marker
    assert {packet.payload_type for packet in after} == {97}
    assert [value for packet in before + after for value in media.values_of(packet.payload)] == list(range(1, 1601))
    assert new.packets_sent == len(before + after)


def test_packets_of_the_old_codec_are_dropped(make_sender: MakeSender, media: SimpleNamespace) -> None:
    old, new = make_sender(96), make_sender(97, seed=2)
    name = media.linear_codec(8000).encoding_name
    old.write_packet(EncodedPacket(bytes(320), name, 8000, 0, 160))
    old.write(media.pcm_of(range(1, 161)))
    new.go_on_from(old)
    assert new.queued == pytest.approx(0.02)
