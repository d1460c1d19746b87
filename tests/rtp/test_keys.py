"""Pressed keys out of telephone events, at both clocks, whatever the network does to them (RFC 4733 §2.5.2)."""

import random
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest
from glottis.contracts.errors import Malformed
from glottis.rtp import (
    AudioReceiver,
    KeyChange,
    KeyDown,
    Keypad,
    KeyUp,
    PayloadReader,
    PlainReader,
    TelephoneEventReader,
)
from glottis.rtp.keys import MAX_CHANGES, UPDATE_TIMEOUT
from glottis.wire.rtp import build_rtp
from glottis.wire.telephone_event import DIGITS, MAX_DURATION, TelephoneEvent, build_telephone_event
from hypothesis import given
from hypothesis import strategies as st

CLOCKS = (8000, 48000)
EVENTS = 101


@dataclass
class Phone:
    """Presses keys as libwebrtc does: an update each 20 ms, and the end three times. ``told`` is what came of it."""

    clock_rate: int = 8000
    keypad: Keypad = field(default_factory=Keypad)
    told: list[KeyChange] = field(default_factory=list)
    timestamp: int = 2**32 - 400
    now: float = 0.0

    def __post_init__(self) -> None:
        self.reader = TelephoneEventReader(self.clock_rate, self.keypad)

    def packets(self, digit: str, seconds: float) -> list[tuple[int, bytes]]:
        """Timestamps and payloads of one press; the next may follow 60 ms later."""
        step = self.clock_rate // 50
        length = round(seconds * self.clock_rate)
        told = [(step * count, False) for count in range(1, length // step)] + [(length, True)] * 3
        event = DIGITS.index(digit)
        packets = [
            (self.timestamp, build_telephone_event(TelephoneEvent(event, is_end, duration)))
            for duration, is_end in told
        ]
        self.timestamp = (self.timestamp + length + 3 * step) & 0xFFFFFFFF
        return packets

    def send(self, packets: Iterable[tuple[int, bytes]]) -> None:
        """One each 20 ms."""
        for timestamp, payload in packets:
            assert self.reader.read_untrusted(payload, 1, timestamp, self.now) == ()
            self.wait(0.02)

    def press(self, digits: str, seconds: float = 0.1) -> None:
        for digit in digits:
            self.send(self.packets(digit, seconds))

    def wait(self, seconds: float) -> None:
        """Media ticks go on."""
        for _ in range(round(seconds / 0.02)):
            self.now += 0.02
            self.told += self.keypad.take_changes(self.now)

    @property
    def digits(self) -> str:
        return "".join(change.digit for change in self.told if isinstance(change, KeyDown))

    @property
    def durations(self) -> list[float]:
        return [change.duration for change in self.told if isinstance(change, KeyUp)]


@pytest.fixture(params=CLOCKS)
def phone(request: pytest.FixtureRequest) -> Phone:
    return Phone(request.param)


def test_each_press_is_told_once_with_how_long_it_was(phone: Phone) -> None:
    phone.press(DIGITS)
    phone.press("1", 0.5)
    phone.press("1", 0.04)
    assert phone.digits == f"{DIGITS}11"
    assert phone.durations == pytest.approx([0.1] * 16 + [0.5, 0.04])
    assert [type(change) for change in phone.told] == [KeyDown, KeyUp] * 18


def test_a_key_is_told_when_it_goes_down(phone: Phone) -> None:
    phone.send(phone.packets("5", 1.0)[:1])
    assert phone.told == [KeyDown("5")]


def test_one_packet_that_arrives_of_a_press_is_enough(phone: Phone) -> None:
    for index in range(7):
        phone.send(phone.packets("7", 0.1)[index : index + 1])
        phone.wait(0.4)
    assert phone.digits == "7777777"


def test_a_press_whose_ends_are_lost_ends_with_the_next(phone: Phone) -> None:
    phone.send(phone.packets("1", 0.1)[:3])
    phone.send(phone.packets("1", 0.1)[:1])
    assert phone.told == [KeyDown("1"), KeyUp(0.06), KeyDown("1")]


def test_a_press_whose_ends_are_lost_ends_when_nothing_more_comes(phone: Phone) -> None:
    phone.send(phone.packets("1", 0.1)[:3])
    phone.wait(UPDATE_TIMEOUT - 0.04)
    assert phone.durations == []
    phone.wait(0.06)
    assert phone.durations == [pytest.approx(0.06)]


def test_copies_and_late_packets_of_former_presses_are_known(phone: Phone) -> None:
    one, two, three = (phone.packets(digit, 0.1) for digit in "121")
    phone.send([*one, *one, *two[:3], *one, *two, *three, *two, *one])
    phone.wait(1)
    phone.send([one[-1], two[0], three[0]])
    assert phone.digits == "121"


def test_packets_of_a_press_may_overtake_each_other(phone: Phone) -> None:
    phone.send(reversed(phone.packets("9", 0.1)))
    phone.wait(1)
    assert phone.told == [KeyDown("9"), KeyUp(0.1)]


@pytest.mark.parametrize("seed", range(20))
def test_at_a_third_lost_and_all_in_disorder_no_press_is_lost_or_told_twice(phone: Phone, seed: int) -> None:
    rng = random.Random(seed)
    digits = "".join(rng.choices(DIGITS, k=30))
    for digit in digits:
        packets = [packet for packet in phone.packets(digit, 0.2) if rng.random() > 0.33]
        packets += rng.sample(packets, 2)
        phone.send(sorted(packets, key=lambda _: rng.random()))
        phone.wait(0.06)
    assert phone.digits == digits


def test_a_held_key_is_one_press_until_it_is_up() -> None:
    """RFC 4733 §2.5.1.3: at 48 kHz a segment is full after 1.4 s."""
    phone = Phone(48000)
    begin, step = phone.timestamp, 960
    for elapsed in range(step, 5 * 48000 + 1, step):
        segment = (elapsed - 1) // MAX_DURATION * MAX_DURATION
        payload = build_telephone_event(TelephoneEvent(0, elapsed == 5 * 48000, elapsed - segment))
        phone.send([((begin + segment) & 0xFFFFFFFF, payload)])
    phone.press("1")
    assert phone.told[:3] == [KeyDown("0"), KeyUp(5.0), KeyDown("1")]


def test_a_held_key_of_libwebrtc_is_one_press_though_packets_are_lost() -> None:
    """It begins a segment with the packet after the full one, so segments leave a gap; here each third is lost."""
    phone = Phone(48000)
    timestamp, began = phone.timestamp, 0
    for index, now in enumerate(range(960, 6 * 48000 + 1, 960)):
        duration = now - began
        if duration > MAX_DURATION:
            began = now
            timestamp, duration = (phone.timestamp + now) & 0xFFFFFFFF, duration - MAX_DURATION
        payload = build_telephone_event(TelephoneEvent(0, now == 6 * 48000, duration))
        if index % 3 or now == 6 * 48000:
            phone.send([(timestamp, payload)])
        else:
            phone.wait(0.02)
    assert phone.digits == "0"
    assert phone.durations == [pytest.approx(6.0, abs=0.1)]


def test_the_same_key_after_a_press_whose_ends_are_lost_is_another_press() -> None:
    phone = Phone(48000)
    phone.send([(1000, build_telephone_event(TelephoneEvent(3, False, 960)))])
    phone.wait(1.4)
    phone.send([(1000 + 66000, build_telephone_event(TelephoneEvent(3, False, 960)))])
    assert phone.digits == "33"


def test_an_event_that_never_ends_is_one_press(phone: Phone) -> None:
    payload = build_telephone_event(TelephoneEvent(1, False, MAX_DURATION))
    phone.send([(1, payload)] * 5000)
    assert phone.told == [KeyDown("1")]


def test_a_flood_of_presses_is_bounded_and_counted() -> None:
    keypad = Keypad()
    reader = TelephoneEventReader(8000, keypad)
    for index in range(10_000):
        reader.read_untrusted(b"\1\x8a\0\xa0", index, index * 7919, 0.0)
    changes = keypad.take_changes(0.02)
    assert len(changes) == MAX_CHANGES
    assert keypad.dtmf_refused == 10_000 - MAX_CHANGES // 2
    reader.read_untrusted(b"\2\x8a\0\xa0", 1, 1, 0.03)
    assert keypad.take_changes(0.04) == [KeyDown("2"), KeyUp(0.02)]


@given(st.lists(st.tuples(st.binary(max_size=6), st.integers(0, 2**32 - 1), st.floats(0, 1)), max_size=60))
def test_fuzz_read_untrusted_raises_only_malformed_and_ups_follow_downs(
    packets: list[tuple[bytes, int, float]],
) -> None:
    """Fuzz test of ``read_untrusted`` of telephone events: it raises ``Malformed`` and nothing else."""
    phone = Phone()
    for payload, timestamp, pause in packets:
        with suppress(Malformed):
            phone.send([(timestamp, payload)])
        phone.wait(pause)
    phone.wait(1)
    assert [type(change) for change in phone.told] == [KeyDown, KeyUp] * (len(phone.told) // 2)


# Beside the audio of one source


@pytest.fixture
def keypad() -> Keypad:
    return Keypad()


@pytest.fixture
def receiver(media: SimpleNamespace, keypad: Keypad) -> AudioReceiver:
    readers: dict[int, PayloadReader] = {
        96: PlainReader(media.linear_codec()),
        EVENTS: TelephoneEventReader(8000, keypad),
    }
    return AudioReceiver(readers, sample_rate=8000)


def event_packet(sequence: int, timestamp: int, duration: int, *, is_end: bool = False) -> bytes:
    payload = build_telephone_event(TelephoneEvent(4, is_end, duration))
    return build_rtp(EVENTS, sequence, timestamp, 7, payload)


def test_keys_pressed_before_the_first_audio_are_told(receiver: AudioReceiver, keypad: Keypad) -> None:
    receiver.handle_rtp(event_packet(1, 100, 160), 0.0)
    assert keypad.take_changes(0.02) == [KeyDown("4")]
    assert receiver.next_frame(0.02) is None


@pytest.mark.parametrize("updates", [5, 40])
def test_the_place_of_an_event_is_silent_and_nothing_is_lost_or_concealed(
    media: SimpleNamespace, receiver: AudioReceiver, updates: int
) -> None:
    clockwork = media.Clockwork(receiver)
    before = media.linear_stream(10, first=1)
    began = 5000 + 10 * 160
    events = [
        event_packet(110 + index, began, 160 * (index + 1), is_end=index >= updates - 3) for index in range(updates)
    ]
    after = media.linear_stream(
        10, first=1 + (10 + updates) * 160, sequence=110 + updates, timestamp=began + updates * 160
    )
    for index, packet in enumerate([*before, *events, *after]):
        clockwork.send(packet, index * 0.02)
    clockwork.run(0.02 * (20 + updates))
    heard = clockwork.heard()
    speech = list(range(1, 1601))
    start = heard.index(1)
    assert heard[start : start + 1600] == speech
    assert heard[start + 1600 : start + 1600 + updates * 160] == [0] * updates * 160
    assert heard[start + 1600 + updates * 160] == after_value(updates)
    statistics = receiver.statistics
    assert (statistics.concealed_samples, statistics.concealment_events, statistics.recovery_attempts) == (0, 0, 0)
    assert (statistics.packets_discarded, statistics.packets_unknown) == (0, 0)
    assert receiver.source is not None
    assert receiver.source.packets_lost == 0


def after_value(updates: int) -> int:
    """The first sample after the event."""
    return (1 + (10 + updates) * 160) % 30000


def test_packets_lost_before_and_after_an_event_are_still_concealed(
    media: SimpleNamespace, receiver: AudioReceiver
) -> None:
    clockwork = media.Clockwork(receiver)
    stream = media.linear_stream(30, first=1)
    for index, packet in enumerate(stream):
        if index in (10, 11, 12):
            packet = event_packet(100 + index, 5000 + 1600, 160 * (index - 9), is_end=index == 12)
        if index not in (5, 20):
            clockwork.send(packet, index * 0.02)
    clockwork.run(0.6)
    assert receiver.statistics.concealed_samples == 2 * 160
    assert receiver.source is not None
    assert receiver.source.packets_lost == 2


def test_encoded_packets_around_an_event_are_not_said_to_be_lost(
    media: SimpleNamespace, receiver: AudioReceiver
) -> None:
    clockwork = media.Clockwork(receiver)
    for index, packet in enumerate(media.linear_stream(30, first=1)):
        if 10 <= index < 20:
            packet = event_packet(100 + index, 5000 + 1600, 160 * (index - 9), is_end=index >= 17)
        clockwork.send(packet, index * 0.02)
    clockwork.run(0.7, encoded=True)
    packets = [packet for tick in clockwork.packets for packet in tick]
    assert len(packets) == 20
    assert {packet.lost_before for packet in packets} == {0}


def test_an_event_that_is_cut_off_is_malformed(receiver: AudioReceiver) -> None:
    with pytest.raises(Malformed):
        receiver.handle_rtp(build_rtp(EVENTS, 1, 0, 7, b"\1\2"), 0.0)
