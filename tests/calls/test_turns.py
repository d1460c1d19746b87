"""The caller's turns, as frames and what a detector says of them make them; then in a call."""

from collections.abc import AsyncIterator, Callable
from itertools import chain, groupby

import pytest
import trio
import trio.testing
from glottis import AudioFrame, Call, Component, Turn, TurnSettings
from glottis.calls.turns import TurnFinder
from glottis.contracts.checks import probability_of
from glottis.testing.fake_call import fake_call

RATE = 16000
SPEECH, SILENCE = b"\x10\x27", b"\0\0"


def sound(speech: float, silence: float = 0.0) -> bytes:
    return SPEECH * round(speech * RATE) + SILENCE * round(silence * RATE)


class Loudness:
    """Takes for speech what begins loud."""

    def detect(self, frame: AudioFrame) -> float:
        return float(frame.pcm[:2] == SPEECH)


def turns_of(pcm: bytes, settings: TurnSettings) -> list[list[int]]:
    """The numbers of the frames that each turn is made of."""
    finder, found = TurnFinder(settings), []
    for index in range(len(pcm) // 640):
        frame = AudioFrame(pcm[640 * index : 640 * index + 640], RATE, 320 * index)
        frames = finder.hear(frame, Loudness().detect(frame))
        found.append([each.timestamp // 320 for each in frames])
    return [[*chain(*run)] for is_open, run in groupby(found, bool) if is_open]


QUICK = TurnSettings(onset_ms=60, hangover_ms=100, lead_ms=40)


def test_a_turn_lasts_from_before_its_first_sound_to_the_silence_after_it() -> None:
    assert turns_of(sound(0, 0.2) + sound(0.2, 0.2), QUICK) == [list(range(8, 24))]


def test_pauses_between_words_do_not_end_a_turn_and_clicks_begin_none() -> None:
    assert turns_of(sound(0, 0.2) + sound(0.04, 0.2) + sound(0.1, 0.08) + sound(0.1, 0.2), QUICK) == [
        list(range(20, 40))
    ]


def test_no_frame_belongs_to_two_turns() -> None:
    settings = TurnSettings(onset_ms=60, hangover_ms=40, lead_ms=1000)
    assert turns_of(sound(0.1, 0.06) + sound(0.1, 0.06), settings) == [list(range(6)), list(range(6, 14))]


def test_the_length_of_speech_is_told_without_the_silence_after_it() -> None:
    finder = TurnFinder(QUICK)
    for probability in [1.0] * 10 + [0.0] * 3 + [0.5] + [0.49] * 10:
        finder.hear(AudioFrame(bytes(640), RATE), probability)
    assert finder.spoken_seconds == pytest.approx(0.28)


@pytest.mark.parametrize("value", [None, "speech", [1], -0.1, 1.1, float("nan"), object()])
def test_what_is_no_probability_is_refused_by_its_rule(value: object) -> None:
    with pytest.raises(ValueError, match="expected a probability from 0 to 1, got"):
        probability_of("detect", value)


# In a call


class Diary:
    """An agent that notes what it sees of turns."""

    def __init__(self, follow: Callable[["Diary", Turn], AsyncIterator[object]], settings: TurnSettings = QUICK):
        self.seen: list[object] = []
        self._follow = follow
        self._settings = settings

    async def __call__(self, call: Call) -> None:
        async for turn in call.turns(Loudness(), self._settings):
            self.seen.append("began")
            async for note in self._follow(self, turn):
                self.seen.append(note)


async def wholly(diary: Diary, turn: Turn) -> AsyncIterator[object]:
    frame = await turn.whole()
    yield round(frame.duration, 3)
    yield round(turn.spoken_seconds, 3)


async def as_it_comes(diary: Diary, turn: Turn) -> AsyncIterator[object]:
    count = 0
    async for frame in turn.audio:
        count += 1
        assert frame.sample_rate == RATE
        if count == 10:
            yield "ten frames"
    yield count
    assert (await turn.whole()).sample_count == 0


async def test_a_turn_is_told_when_it_begins_and_whole_when_it_has_ended(
    autojump_clock: trio.testing.MockClock,
) -> None:
    diary = Diary(wholly)
    async with fake_call(diary) as call:
        await call.caller_speaks(sound(0, 0.2) + sound(0.1))
        assert diary.seen == ["began"]  # 60 ms of the speech were enough
        await call.caller_speaks(sound(0.4, 0.2) + sound(0.2, 0.2))
    assert diary.seen[:3] == ["began", 0.62, 0.5]
    assert diary.seen[3:] == ["began", 0.32, 0.2]


async def test_who_listens_along_gets_each_frame_as_it_comes(autojump_clock: trio.testing.MockClock) -> None:
    diary = Diary(as_it_comes)
    async with fake_call(diary) as call:
        await call.caller_speaks(sound(0.3))
        assert diary.seen == ["began", "ten frames"]
        await call.caller_speaks(sound(0.1, 0.2))
    assert diary.seen == ["began", "ten frames", 20 + 4]


async def test_a_caller_who_sends_nothing_is_silent(autojump_clock: trio.testing.MockClock) -> None:
    diary = Diary(wholly)
    async with fake_call(diary) as call:
        await call.caller_speaks(sound(0.3))
        await trio.sleep(0.1)
    assert diary.seen == ["began", 0.3, 0.3]


async def test_turns_that_nobody_takes_are_dropped_and_counted(autojump_clock: trio.testing.MockClock) -> None:
    began = []

    async def agent(call: Call) -> None:
        turns = call.turns(Loudness(), QUICK)
        await trio.sleep(3.85)
        began.append(call.dropped.turns)
        async for turn in turns:
            began.append((await turn.whole()).timestamp)

    async with fake_call(agent) as call:
        await call.caller_speaks(sound(0.1, 0.2) * 13)
    # of 13 turns the first five are gone, with 5 frames of speech, 4 of silence, and 2 before the speech but the first
    assert began[0] == 5 * 9 + 4 * 2
    assert began[1:] == [round((turn * 0.3 - 0.04) * RATE) for turn in range(5, 13)]


@pytest.mark.slow
async def test_the_oldest_of_a_turn_without_end_is_dropped_and_counted(autojump_clock: trio.testing.MockClock) -> None:
    lengths = []

    async def agent(call: Call) -> None:
        async for turn in call.turns(Loudness(), QUICK):
            lengths.append((await turn.whole()).duration)
            lengths.append(call.dropped.turns * 0.02)
            lengths.append(turn.spoken_seconds)

    async with fake_call(agent) as call:
        await call.caller_speaks(sound(31, 0.2))
    assert lengths == [pytest.approx(30), pytest.approx(1.08), pytest.approx(31)]


async def test_other_turns_end_the_iteration_of_those_before(autojump_clock: trio.testing.MockClock) -> None:
    seen: list[str] = []

    async def follow(call: Call, name: str, settings: TurnSettings) -> None:
        async for turn in call.turns(Loudness(), settings):
            seen.append(name)
            await turn.ended.wait()
        seen.append(f"{name} is over")

    async def agent(call: Call) -> None:
        call.nursery.start_soon(follow, call, "first", QUICK)
        await trio.sleep(0.2)
        await follow(call, "second", QUICK)

    async with fake_call(agent) as call:
        await call.caller_speaks(sound(0.5, 0.2))
    assert seen == ["first", "first is over", "second"]


async def test_what_is_no_detector_is_refused_at_once(autojump_clock: trio.testing.MockClock) -> None:
    async def agent(call: Call) -> None:
        with pytest.raises(ValueError, match="expected a VoiceActivityDetector, got str without detect"):
            call.turns("energy")  # type: ignore[arg-type]
        with pytest.raises(ValueError, match=r"got Component\('energy'\), which can make\(\) one"):
            call.turns(Component("energy"))  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="turns: expected TurnSettings, got dict"):
            call.turns(Loudness(), {})  # type: ignore[arg-type]

    async with fake_call(agent) as call:
        await call.ended.wait()


async def test_a_detector_that_fails_ends_the_call(autojump_clock: trio.testing.MockClock) -> None:
    class Broken:
        def detect(self, frame: AudioFrame) -> float:
            raise RuntimeError("no model")

    async def agent(call: Call) -> None:
        async for _ in call.turns(Broken()):
            pass

    with pytest.RaisesGroup(pytest.RaisesExc(RuntimeError, match="no model"), flatten_subgroups=True):
        async with fake_call(agent) as call:
            await call.caller_speaks(sound(0.1))
            await call.ended.wait()
