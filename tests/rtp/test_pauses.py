"""Pauses that are told instead of sent, and silence that is sent where there is nothing to be said."""

import random
from types import SimpleNamespace

import pytest
from glottis.rtp import AudioSender, Pauses, PlainWriter
from glottis.wire.rtp import RtpPacket, parse_rtp_untrusted

CN = 13
FRAME = 160


def make_sender(media: SimpleNamespace, *, fills: bool = False, pauses: Pauses | None = None) -> AudioSender:
    sender = AudioSender(
        ssrc=7,
        writer=PlainWriter(96),
        codec=media.linear_codec(),
        encoder=media.LinearEncoder(),
        sample_rate=8000,
        rng=random.Random(1),
    )
    sender.fills, sender.pauses = fills, pauses
    return sender


def sent(sender: AudioSender, frames: list[bytes], start: int = 0) -> list[list[RtpPacket]]:
    """In each tick; an empty frame is one in which nothing is said."""
    ticks = []
    for tick, frame in enumerate(frames, start):
        sender.write(frame)
        ticks.append([parse_rtp_untrusted(packet) for packet in sender.next_packets(0.02 * tick)])
    return ticks


def test_a_pause_is_told_after_its_beginning_and_again_and_speech_after_it_has_the_marker(
    media: SimpleNamespace,
) -> None:
    sender = make_sender(media, pauses=Pauses())
    voice, quiet = media.pcm_of([5000] * FRAME), media.pcm_of([33, -33] * (FRAME // 2))
    packets = [packet for tick in sent(sender, [voice] * 20 + [quiet] * 60 + [voice] * 5) for packet in tick]
    speech = [packet for packet in packets if packet.payload_type == 96]
    told = [packet for packet in packets if packet.payload_type == CN]
    first = packets[0].timestamp
    assert [packet.payload for packet in told] == [b"\x3c"] * 3  # -60 dBov
    assert [(packet.timestamp - first) // FRAME for packet in told] == [30, 50, 70]
    assert [(packet.timestamp - first) // FRAME for packet in speech] == [*range(30), *range(80, 85)]
    assert [index for index, packet in enumerate(packets) if packet.marker] == [0, 33]
    assert [packet.sequence_number - packets[0].sequence_number for packet in packets] == list(range(38))
    assert (sender.comfort_noise_sent, sender.frames_unsent) == (3, 47)


def test_who_takes_comfort_noise_is_told_of_it_while_nothing_is_said(media: SimpleNamespace) -> None:
    sender = make_sender(media, pauses=Pauses())
    ticks = sent(sender, [media.pcm_of([5000] * FRAME)] * 10 + [b""] * 100)
    after = [packet for tick in ticks[25:] for packet in tick]
    assert [packet.payload_type for packet in after] == [CN] * 4
    assert {packet.payload for packet in after} == {b"\x7f"}


def test_silence_is_sent_from_the_beginning_and_between_words_without_a_gap(media: SimpleNamespace) -> None:
    sender = make_sender(media, fills=True)
    voice = media.pcm_of([5000] * FRAME)
    ticks = sent(sender, [b""] * 10 + [voice] * 5 + [b""] * 10 + [voice] * 5)
    packets = [packet for tick in ticks for packet in tick]
    assert len(packets) >= 28
    times = [(packet.timestamp - packets[0].timestamp) & 0xFFFFFFFF for packet in packets]
    assert times == sorted(set(times))
    assert times[-1] <= 30 * FRAME
    assert [any(packet.payload) for packet in packets].count(True) == 10
    words = [packet.marker for packet in packets if any(packet.payload)]
    assert words == [True, *[False] * 4] * 2


def test_silence_is_not_what_was_said(media: SimpleNamespace) -> None:
    sender = make_sender(media, fills=True)
    sent(sender, [media.pcm_of([5000] * FRAME)] * 5 + [b""] * 20)
    assert sender.queued == 0
    assert not sender.has_moved_on
    assert sender.flush().sent == pytest.approx(0.1)


def test_speech_that_is_a_little_late_goes_on_without_silence_in_between(media: SimpleNamespace) -> None:
    sender = make_sender(media, fills=True)
    voice = media.pcm_of([5000] * FRAME)
    ticks = sent(sender, [voice] * 5 + [b""] + [voice * 2] + [voice] * 5)
    assert all(any(packet.payload) for tick in ticks for packet in tick)


def test_without_either_nothing_is_sent_while_nothing_is_said(media: SimpleNamespace) -> None:
    assert sent(make_sender(media), [b""] * 20) == [[]] * 20


def test_packets_of_another_length_change_nothing_in_when_a_pause_is_told(media: SimpleNamespace) -> None:
    sender = make_sender(media, pauses=Pauses())
    assert sender.change_packet_time(40, media.LinearEncoder())
    voice, quiet = media.pcm_of([5000] * FRAME), media.pcm_of([33, -33] * (FRAME // 2))
    packets = [packet for tick in sent(sender, [voice] * 20 + [quiet] * 60) for packet in tick]
    told = [packet.timestamp - packets[0].timestamp for packet in packets if packet.payload_type == CN]
    assert [units / 8000 for units in told] == pytest.approx([0.6, 1.0, 1.4], abs=0.041)
