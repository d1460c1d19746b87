"""Keys that are pressed for the listener: telephone events between the packets of speech (RFC 4733 §2.5.1)."""

import random
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from glottis import EncodedPacket
from glottis.rtp import AudioSender, EventFormat, KeyDown, Keypad, KeyUp, PlainWriter, TelephoneEventReader, Tone
from glottis.wire.rtp import RtpPacket, parse_rtp_untrusted
from glottis.wire.telephone_event import MAX_DURATION, TelephoneEvent, parse_telephone_event_untrusted

AUDIO, EVENTS = 96, 101
MakeSender = Callable[..., AudioSender]


@pytest.fixture
def make_sender(media: SimpleNamespace) -> MakeSender:
    def make(clock_rate: int = 8000, event_clock: int | None = None, frame_ms: float = 20) -> AudioSender:
        sender = AudioSender(
            ssrc=7,
            writer=PlainWriter(AUDIO),
            codec=media.linear_codec(clock_rate),
            encoder=media.LinearEncoder(),
            sample_rate=clock_rate,
            frame_ms=frame_ms,
            tick=min(frame_ms, 20) / 1000,
            rng=random.Random(1),
        )
        sender.tones.format = EventFormat(EVENTS, event_clock or clock_rate)
        return sender

    return make


def run(sender: AudioSender, ticks: int, start: int = 0) -> list[list[RtpPacket]]:
    """The packets of each tick of 20 ms."""
    return [
        [parse_rtp_untrusted(packet) for packet in sender.next_packets(index * 0.02)]
        for index in range(start, start + ticks)
    ]


def flat(ticks: list[list[RtpPacket]]) -> list[RtpPacket]:
    return [packet for packets in ticks for packet in packets]


def events_in(packets: list[RtpPacket]) -> list[TelephoneEvent]:
    return [parse_telephone_event_untrusted(one.payload) for one in packets if one.payload_type == EVENTS]


@pytest.mark.parametrize("clock_rate", [8000, 48000])
def test_a_key_is_told_with_a_marker_in_updates_and_three_ends_on_one_timestamp(
    make_sender: MakeSender, clock_rate: int
) -> None:
    sender = make_sender(clock_rate)
    sender.write_tone(Tone(5, 0.1, 0.06))
    assert sender.queued == pytest.approx(0.16)
    ticks = run(sender, 10)
    assert [len(packets) for packets in ticks] == [1] * 7 + [0] * 3
    packets = flat(ticks)
    step = clock_rate // 50
    assert [(event.event, event.is_end, event.duration) for event in events_in(packets)] == [
        *((5, False, step * count) for count in (1, 2, 3, 4)),
        *((5, True, step * 5),) * 3,
    ]
    assert [packet.marker for packet in packets] == [True] + [False] * 6
    assert len({packet.timestamp for packet in packets}) == 1
    assert sender.queued == 0.0


def test_speech_waits_and_goes_on_where_the_timeline_is(make_sender: MakeSender) -> None:
    sender = make_sender()
    sender.write(b"\1\0" * 200)  # a frame and a quarter: the rest is padded, for order's sake
    sender.write_tone(Tone(1, 0.06, 0.06))
    sender.write(b"\2\0" * 320)
    packets = flat(run(sender, 12))
    assert [packet.payload_type for packet in packets] == [AUDIO] * 2 + [EVENTS] * 5 + [AUDIO] * 2
    start = packets[0].timestamp
    offsets = [(packet.timestamp - start) & 0xFFFFFFFF for packet in packets]
    assert offsets == [0, 160, *(320,) * 5, 320 + 960, 320 + 1120]
    assert [packet.marker for packet in packets] == [True, False, True, *(False,) * 4, True, False]
    assert [(packet.sequence_number - packets[0].sequence_number) & 0xFFFF for packet in packets] == list(range(9))
    assert {packet.ssrc for packet in packets} == {7}
    assert sender.packets_sent == 9


def test_relayed_packets_keep_their_place_around_a_key(make_sender: MakeSender) -> None:
    sender = make_sender()
    for timestamp in (0, 160):
        sender.write_packet(EncodedPacket(bytes(320), "linear", 8000, timestamp, 160))
    sender.write_tone(Tone(1, 0.04, 0.04))
    sender.write_packet(EncodedPacket(bytes(320), "linear", 8000, 320, 160))
    packets = flat(run(sender, 10))
    assert [packet.payload_type for packet in packets] == [AUDIO] * 2 + [EVENTS] * 4 + [AUDIO]
    assert (packets[-1].timestamp - packets[0].timestamp) & 0xFFFFFFFF == 320 + 640


@pytest.mark.parametrize(
    ("frame_ms", "gap", "ends"), [(20, 0.03, [1, 1, 1]), (60, 0.06, [2, 1]), (10, 0.06, [1, 1, 1])]
)
def test_the_end_is_told_three_times_whatever_the_gap_holds(
    make_sender: MakeSender, frame_ms: float, gap: float, ends: list[int]
) -> None:
    sender = make_sender(frame_ms=frame_ms)
    sender.write_tone(Tone(1, 0.12, gap))
    told = []
    for index in range(100):
        packets = [parse_rtp_untrusted(packet) for packet in sender.next_packets(index * 0.01)]
        told.append(sum(event.is_end for event in events_in(packets)))
    assert [count for count in told if count] == ends


def test_events_of_another_clock_share_the_timestamps_of_the_audio(make_sender: MakeSender) -> None:
    """Firefox takes them at 8000 Hz only, beside Opus at 48000."""
    sender = make_sender(48000, event_clock=8000)
    sender.write(bytes(2 * 960))
    sender.write_tone(Tone(1, 0.1, 0.06))
    packets = flat(run(sender, 10))
    assert (packets[1].timestamp - packets[0].timestamp) & 0xFFFFFFFF == 960
    assert events_in(packets)[-1].duration == 800


def test_a_long_press_is_told_in_segments_that_a_receiver_joins(make_sender: MakeSender) -> None:
    sender = make_sender(48000)
    sender.write_tone(Tone(0, 5.0, 0.06))
    packets = flat(run(sender, 260))
    events = events_in(packets)
    assert [event.duration for event in events].count(MAX_DURATION) == 3
    assert max(event.duration for event in events) == MAX_DURATION
    starts = list(dict.fromkeys(packet.timestamp for packet in packets))
    assert [(start - starts[0]) & 0xFFFFFFFF for start in starts] == [MAX_DURATION * count for count in range(4)]
    assert [packet.marker for packet in packets].count(True) == 1
    assert heard(packets, 48000) == [KeyDown("0"), KeyUp(5.0)]


def heard(packets: list[RtpPacket], clock_rate: int) -> list[KeyDown | KeyUp]:
    """What a receiver makes of them."""
    keypad = Keypad()
    reader = TelephoneEventReader(clock_rate, keypad)
    changes: list[KeyDown | KeyUp] = []
    for index, packet in enumerate(packets):
        if packet.payload_type == EVENTS:
            reader.read_untrusted(packet.payload, index, packet.timestamp, index * 0.02)
        changes += keypad.take_changes(index * 0.02)
    return changes


def test_flush_drops_the_keys_that_wait_and_lets_go_of_the_one_that_is_down(make_sender: MakeSender) -> None:
    sender = make_sender()
    for event in (1, 2, 3):
        sender.write_tone(Tone(event, 0.1, 0.06))
    before = flat(run(sender, 2))
    assert sender.flush().dropped == pytest.approx(3 * 0.16 - 0.04)
    sender.write(bytes(320))
    after = flat(run(sender, 5, start=2))
    assert [(event.event, event.is_end, event.duration) for event in events_in(after)] == [(1, True, 320)] * 3
    assert {packet.timestamp for packet in after[:3]} == {before[0].timestamp}
    assert [packet.payload_type for packet in after] == [EVENTS] * 3 + [AUDIO]
    assert heard(before + after, 8000) == [KeyDown("1"), KeyUp(0.04)]


def test_flush_in_the_gap_tells_nothing_more(make_sender: MakeSender) -> None:
    sender = make_sender()
    sender.write_tone(Tone(1, 0.06, 0.06))
    run(sender, 4)
    sender.flush()
    assert flat(run(sender, 5, start=4)) == []


def test_nothing_is_sent_to_who_takes_no_events(make_sender: MakeSender) -> None:
    sender = make_sender()
    sender.tones.format = None
    sender.write_tone(Tone(1, 0.1, 0.06))
    assert sender.queued == 0.0
    assert flat(run(sender, 5)) == []


def test_a_stall_in_the_middle_of_a_key_goes_on_with_it(make_sender: MakeSender) -> None:
    sender = make_sender()
    sender.write_tone(Tone(1, 0.1, 0.06))
    packets = flat(run(sender, 2) + run(sender, 8, start=30))
    assert len({packet.timestamp for packet in packets}) == 1
    assert [packet.marker for packet in packets].count(True) == 1
    assert heard(packets, 8000) == [KeyDown("1"), KeyUp(0.1)]
