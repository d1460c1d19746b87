"""Who speaks when: utterances of several tasks, their interruption and cancellation."""

from collections.abc import Awaitable, Callable

import pytest
import trio
import trio.testing
from glottis import EncodedPacket, Heard
from glottis.calls.speech import Speech
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

    async def tick(self, count: int = 1) -> None:
        for _ in range(count):
            if self.voice.waiting:
                self.voice.sent.append(self.voice.waiting.pop(0)[0])
                self.speech.changed()
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
