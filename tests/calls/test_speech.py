"""Who speaks when: utterances of several tasks, their interruption and cancellation."""

import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from itertools import groupby

import pytest
import trio
import trio.testing
from glottis import EncodedPacket, Heard
from glottis.calls.speech import Speech
from glottis.calls.utterance import Source, Started
from glottis.contracts.audio import FRAME_SECONDS
from glottis.rtp import Tone
from glottis.wire.telephone_event import DIGITS

RATE = 16000
FRAME = 320


class Voice:
    """A queue in the order of writing. Frames are noted by their first byte, packets by their payload."""

    def __init__(self) -> None:
        self.can_send = True
        self.waiting: list[tuple[str, int]] = []
        self.sent: list[str] = []
        self.unheard = 0.0

    @property
    def queued(self) -> float:
        return sum(samples for _, samples in self.waiting) / RATE

    def write(self, pcm: bytes) -> None:
        assert len(pcm) % 2 == 0
        for start in range(0, len(pcm), 2 * FRAME):
            self.waiting.append((chr(pcm[start]), len(pcm[start : start + 2 * FRAME]) // 2))

    def write_packet(self, packet: EncodedPacket) -> None:
        self.waiting.append((packet.payload.decode(), packet.duration))

    def write_tone(self, tone: Tone) -> None:
        self.waiting.append((DIGITS[tone.event], round((tone.duration + tone.gap) * RATE)))

    def flush(self) -> Heard:
        heard = Heard(len(self.sent) * FRAME_SECONDS, self.queued)
        self.waiting.clear()
        return heard


class Stage:
    """Speakers, and the ticks that let them be heard."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.nursery = nursery
        self.voice = Voice()
        self.speech = Speech(self.voice, sample_rate=RATE, limit=0.1)
        self.done: list[str] = []
        self.scopes: dict[str, trio.CancelScope] = {}
        self.pause = trio.Event()
        self.gaps = 0
        """Ticks between others in which there was nothing to send."""
        self._silent = 0

    async def start(self, name: str, audio: bytes | EncodedPacket) -> None:
        """Let a task say this."""
        await self.run(name, lambda: self.speech.say(audio))

    async def run(self, name: str, function: Callable[[], Awaitable[None]]) -> None:
        async def act() -> None:
            with trio.CancelScope() as self.scopes[name]:
                await function()
                self.done.append(name)

        self.nursery.start_soon(act)
        await trio.testing.wait_all_tasks_blocked()

    async def begin(self, source: Source) -> Started:
        """Let the speech have a task of its own for this."""
        started = self.speech.start(source, self.nursery.start_soon)
        await trio.testing.wait_all_tasks_blocked()
        return started

    async def tick(self, count: int = 1) -> None:
        for _ in range(count):
            if self.voice.waiting:
                self.voice.sent.append(self.voice.waiting.pop(0)[0])
                self.speech.changed()
                self.gaps, self._silent = self.gaps + self._silent, 0
            else:
                self._silent += 1
            await trio.testing.wait_all_tasks_blocked()

    @property
    def sent(self) -> str:
        return "".join(self.voice.sent)


@pytest.fixture
async def stage(nursery: trio.Nursery) -> Stage:
    return Stage(nursery)


def frames(name: str, count: int) -> bytes:
    return name.encode() * (2 * FRAME * count)


def packet(name: str) -> EncodedPacket:
    return EncodedPacket(name.encode(), "opus", RATE, 0, FRAME)


async def test_utterances_stay_whole_and_are_said_in_the_order_they_came(stage: Stage) -> None:
    await stage.start("a", frames("a", 20))
    await stage.start("b", frames("b", 8))
    await stage.start("p", packet("p"))
    await stage.start("c", frames("c", 3))
    await stage.tick(40)
    assert stage.sent == "a" * 20 + "b" * 8 + "p" + "c" * 3
    assert stage.done == ["a", "b", "p", "c"]


async def test_two_tasks_that_say_frame_after_frame_are_both_heard(stage: Stage) -> None:
    async def say_all(name: str) -> None:
        for _ in range(10):
            await stage.speech.say(frames(name, 1))

    await stage.run("a", lambda: say_all("a"))
    await stage.run("b", lambda: say_all("b"))
    await stage.tick(40)
    assert sorted(stage.sent) == sorted("a" * 10 + "b" * 10)
    assert stage.done == ["a", "b"]


async def test_a_flush_drops_what_is_queued_what_is_being_said_and_what_waits_its_turn(stage: Stage) -> None:
    await stage.start("a", frames("a", 20))
    await stage.start("b", frames("b", 10))
    await stage.start("p", packet("p"))
    await stage.tick(4)
    heard = stage.speech.flush()
    assert (heard.sent, heard.dropped) == (
        pytest.approx(4 * FRAME_SECONDS),
        pytest.approx((16 + 10 + 1) * FRAME_SECONDS),
    )
    assert stage.speech.flush().dropped == 0
    await stage.start("c", frames("c", 2))
    await stage.tick(40)
    assert stage.sent == "aaaacc"
    assert stage.done == ["a", "b", "p", "c"]


async def test_who_speaks_right_after_a_flush_is_heard_though_others_have_yet_to_notice_it(stage: Stage) -> None:
    await stage.start("a", frames("a", 20))
    await stage.start("b", frames("b", 20))
    stage.speech.flush()
    await stage.start("c", frames("c", 8))
    await stage.tick(40)
    assert stage.sent == "c" * 8


@pytest.mark.parametrize("cancelled", ["a", "b"])
async def test_who_is_cancelled_holds_up_nobody(stage: Stage, cancelled: str) -> None:
    await stage.start("a", frames("a", 20))
    await stage.start("b", frames("b", 10))
    await stage.start("c", frames("c", 4))
    await stage.tick(2)
    stage.scopes[cancelled].cancel()
    await trio.testing.wait_all_tasks_blocked()
    await stage.tick(40)
    assert stage.sent == {"a": "a" * 7 + "b" * 10, "b": "a" * 20}[cancelled] + "cccc"
    assert stage.speech.flush().dropped == 0


async def test_drain_waits_for_what_was_said_before_it_and_lets_the_rest_wait(stage: Stage) -> None:
    await stage.start("a", frames("a", 10))
    await stage.run("drain", stage.speech.drain)
    await stage.start("b", frames("b", 100))
    await stage.tick(10)
    assert stage.done == ["a", "drain"]
    assert stage.sent == "a" * 10
    await stage.tick(5)
    assert stage.sent == "a" * 10 + "b" * 5


async def test_drain_ends_with_a_flush(stage: Stage) -> None:
    await stage.start("a", frames("a", 10))
    await stage.run("drain", stage.speech.drain)
    stage.speech.flush()
    await trio.testing.wait_all_tasks_blocked()
    assert stage.done == ["a", "drain"]


# Nobody listens


async def test_what_nobody_can_hear_is_said_one_after_the_other_too(
    stage: Stage, autojump_clock: trio.testing.MockClock
) -> None:
    stage.voice.can_send = False
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        for audio in (frames("a", 50), frames("b", 25), packet("p")):
            nursery.start_soon(stage.speech.say, audio)
    assert trio.current_time() - began == pytest.approx(76 * FRAME_SECONDS)
    assert not stage.voice.waiting


async def test_a_flush_ends_what_nobody_can_hear(stage: Stage, autojump_clock: trio.testing.MockClock) -> None:
    stage.voice.can_send = False
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stage.speech.say, frames("a", 50))
        nursery.start_soon(stage.speech.say, frames("b", 25))
        await trio.sleep(0.45)
        heard = stage.speech.flush()
    assert trio.current_time() - began == pytest.approx(0.45)
    assert (heard.sent, heard.dropped) == (0, pytest.approx((75 - 23) * FRAME_SECONDS))


async def test_who_begins_to_listen_hears_the_rest(stage: Stage, autojump_clock: trio.testing.MockClock) -> None:
    stage.voice.can_send = False
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stage.speech.say, frames("a", 20))
        await trio.sleep(0.15)
        stage.voice.can_send = True
        await trio.sleep(0.02)
        assert len(stage.voice.waiting) == 5
        nursery.cancel_scope.cancel()


# What is started beside the agent


def in_frames(heard: Heard) -> tuple[int, int]:
    """What was sent and what was dropped."""
    return round(heard.sent / FRAME_SECONDS), round(heard.dropped / FRAME_SECONDS)


async def stream(stage: Stage, *names: str) -> AsyncGenerator[bytes, None]:
    """A frame for each name, with a pause after the first."""
    for name in names:
        yield frames(name, 1)
        await stage.pause.wait()


async def test_what_is_started_takes_its_turn_and_is_followed_without_a_gap(stage: Stage) -> None:
    await stage.start("a", frames("a", 2))
    b = await stage.begin([frames("b", 3), frames("c", 4)])
    d = await stage.begin([packet("d")])
    await stage.start("e", frames("e", 2))
    await stage.tick(12)
    assert stage.sent == "aabbbccccdee"
    assert stage.gaps == 0
    assert (b.done.is_set(), d.done.is_set()) == (True, True)
    assert in_frames(b.heard) == (7, 0)


async def test_who_is_cancelled_takes_nothing_from_others(stage: Stage) -> None:
    await stage.start("a", frames("a", 3))
    b = await stage.begin([frames("b", 20)])
    await stage.start("c", frames("c", 3))
    await stage.tick(7)
    assert in_frames(b.heard) == (4, 0)
    assert in_frames(b.cancel()) == in_frames(b.cancel()) == (4, 16)
    assert b.done.is_set()
    await stage.tick(12)
    assert stage.sent == "aaa" + "bbbb" + "ccc"


async def test_who_waits_for_a_turn_can_be_cancelled(stage: Stage) -> None:
    await stage.start("a", frames("a", 3))
    b = await stage.begin([frames("b", 20)])
    c = await stage.begin([frames("c", 2)])
    assert in_frames(b.cancel()) == (0, 20)
    await stage.tick(12)
    assert stage.sent == "aaacc"
    assert c.cancel().dropped == 0


async def test_a_flush_ends_what_was_started_too(stage: Stage) -> None:
    b = await stage.begin([frames("b", 20)])
    c = await stage.begin([frames("c", 5)])
    await stage.tick(4)
    assert stage.speech.flush().dropped == pytest.approx((16 + 5) * FRAME_SECONDS)
    assert in_frames(b.heard) == (4, 16)
    assert in_frames(c.heard) == (0, 5)
    await stage.start("d", frames("d", 1))
    await stage.tick(4)
    assert stage.sent == "bbbbd"


async def test_an_iterator_that_has_nothing_yet_keeps_its_turn(stage: Stage) -> None:
    b = await stage.begin(stream(stage, "b", "c"))
    await stage.start("d", frames("d", 2))
    await stage.tick(3)
    assert (stage.sent, b.heard.sent, stage.speech.is_going_on) == ("b", pytest.approx(FRAME_SECONDS), True)
    stage.pause.set()
    await stage.tick(5)
    assert stage.sent == "bcdd"
    assert stage.speech.is_going_on is False


async def test_an_iterator_that_waits_is_closed_when_it_is_cancelled(stage: Stage) -> None:
    b = await stage.begin(stream(stage, "b", "c"))
    await stage.tick(3)
    assert in_frames(b.cancel()) == (1, 0)
    await stage.start("d", frames("d", 1))
    await stage.tick(2)
    assert stage.sent == "bd"


async def test_what_nobody_hears_is_neither_sent_nor_dropped(
    stage: Stage, autojump_clock: trio.testing.MockClock
) -> None:
    stage.voice.can_send = False
    began = trio.current_time()
    b = await stage.begin([frames("b", 10)])
    await b.done.wait()
    assert trio.current_time() - began == pytest.approx(10 * FRAME_SECONDS)
    assert in_frames(b.heard) == (0, 0)


@pytest.mark.parametrize(
    "interrupt", [lambda speech, started: started.cancel(), lambda speech, started: speech.flush()]
)
async def test_an_iterator_that_takes_long_to_end_holds_up_nobody(
    stage: Stage, interrupt: Callable[[Speech, Started], Heard]
) -> None:
    async def stubborn() -> AsyncGenerator[bytes, None]:
        try:
            yield frames("b", 1)
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await stage.pause.wait()

    b = await stage.begin(stubborn())
    await stage.tick(3)
    interrupt(stage.speech, b)
    await stage.start("c", frames("c", 3))
    await stage.tick(5)
    assert stage.sent == "bccc"
    stage.pause.set()


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_happens_utterances_stay_whole_and_their_accounts_are_right(stage: Stage, seed: int) -> None:
    rng = random.Random(seed)
    started: dict[str, Started] = {}
    for name in "abcdefghijklmnopqrst":
        lengths = [rng.randrange(1, 6) for _ in range(rng.randrange(1, 4))]
        if rng.random() < 0.3:
            await stage.start(name, frames(name, sum(lengths)))
        else:
            pieces: list[bytes | EncodedPacket] = [frames(name, length) for length in lengths]
            started[name] = await stage.begin(pieces if rng.random() < 0.5 else stream_of(pieces))
        await stage.tick(rng.randrange(8))
        match rng.randrange(6):
            case 0:
                stage.speech.flush()
            case 1 | 2 if started:
                started[rng.choice(list(started))].cancel()
    await stage.tick(300)
    assert stage.speech.is_going_on is False
    runs = [name for name, _ in groupby(stage.sent)]
    assert runs == sorted(set(runs))
    assert {name: in_frames(one.heard)[0] for name, one in started.items()} == {
        name: stage.sent.count(name) for name in started
    }


async def stream_of(pieces: list[bytes | EncodedPacket]) -> AsyncGenerator[bytes | EncodedPacket, None]:
    for piece in pieces:
        await trio.lowlevel.checkpoint()
        yield piece
