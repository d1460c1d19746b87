"""What callers and models do that nobody has asked for: a sentence is heard, and the call goes on."""

import math
import random
from array import array

import pytest
import trio.testing
from glottis import Component, TextMessage
from glottis.testing import fake_call
from glottis.testing.fake_call import FakeCall
from glottis_conversation import ToolCall, conversation
from glottis_conversation.sentences import spoken_text
from glottis_skills import RulesConfig
from glottis_skills.rules import Rules
from glottis_skills.spelling import Spelling
from glottis_vad_energy import EnergyConfig, EnergyDetector
from support.talking import RATE, Ear, Mind, Mouth, component, settings, silence, speech

pytestmark = pytest.mark.slow

UNKNOWN = RulesConfig().unknown


def noise(seconds: float) -> bytes:
    rng = random.Random(1)
    return array("h", [rng.randrange(-9000, 9000) for _ in range(round(seconds * RATE))]).tobytes()


def said_by_agent(call: FakeCall) -> list[str]:
    return [
        data["text"]
        for name, data in call.sent_events
        if name == "transcript" and data["role"] == "agent" and data["final"]
    ]


async def test_noise_in_which_nothing_is_understood_is_not_answered(autojump_clock: trio.testing.MockClock) -> None:
    mind = Mind("Yes?")
    async with fake_call(conversation(settings(mind, ear=Ear([""] * 9 + ["Hello"]), mouth=Mouth()))) as call:
        for _ in range(9):
            await call.caller_speaks(noise(0.6) + silence(0.8))
        assert said_by_agent(call) == []
        await call.caller_speaks(speech(0.5) + silence(2))
    assert said_by_agent(call) == ["Yes?"]


@pytest.mark.parametrize(
    "text", ["Wo ist denn hier der Bahnhof?", "駅はどこですか", "what the where is my two at time is", "\u0000"]
)
async def test_a_language_that_it_does_not_know_is_told_so(text: str, autojump_clock: trio.testing.MockClock) -> None:
    async with fake_call(conversation(settings(Rules(RulesConfig()), ear=Ear([text]), mouth=Mouth()))) as call:
        await call.caller_speaks(speech(1) + silence(6))
    assert said_by_agent(call) == [UNKNOWN]


async def test_a_caller_who_talks_for_minutes_is_answered_after_it(autojump_clock: trio.testing.MockClock) -> None:
    mind, ear = Mind("I see."), Ear([f"part {number}" for number in range(30)])
    async with fake_call(conversation(settings(mind, ear=ear, mouth=Mouth(), max_turn_seconds=5.0))) as call:
        await call.caller_speaks(speech(42))
        assert said_by_agent(call) == []
        await call.caller_speaks(silence(3))
    assert max(ear.heard_seconds) <= 5.1
    assert mind.histories[-1][-1].text.startswith("part 0 part 1 part 2")
    assert said_by_agent(call) == ["I see."]


async def test_ten_minutes_of_speech_are_heard_whole_and_answered_once(
    autojump_clock: trio.testing.MockClock,
) -> None:
    mind, ear = Mind("I see."), Ear([f"part {number}" for number in range(30)])
    async with fake_call(conversation(settings(mind, ear=ear, mouth=Mouth())), frame_ms=20) as call:
        await call.caller_speaks(speech(590) + silence(4))
    assert sum(ear.heard_seconds) == pytest.approx(590, abs=1)
    assert call.dropped.audio == 0
    assert [each[-1].text.count("part") for each in mind.histories] == [20]
    assert said_by_agent(call) == ["I see."]


async def test_a_caller_who_never_stops_hears_a_sentence_and_at_last_a_farewell(
    autojump_clock: trio.testing.MockClock,
) -> None:
    mind, ear = Mind("I see."), Ear([f"part {number}" for number in range(300)])
    config = settings(mind, ear=ear, mouth=Mouth(), max_turn_seconds=2.0, max_seconds=70.0)
    async with fake_call(conversation(config)) as call:
        await call.caller_speaks(speech(90))
        assert call.ended.is_set()
    assert said_by_agent(call) == ["I see.", "Goodbye."]


def music(seconds: float) -> bytes:
    """A chord that is struck twice a second."""
    samples = [
        round(6000 * (1 - 2 * (at / RATE % 0.5)) * sum(math.sin(2 * math.pi * f * at / RATE) for f in (262, 330, 392)))
        for at in range(RATE // 2)
    ]
    return array("h", samples).tobytes() * round(2 * seconds)


async def test_music_interrupts_until_it_is_understood_as_nothing(autojump_clock: trio.testing.MockClock) -> None:
    mind, ear = Mind("Here is one thing. There is another."), Ear(["Well?"])
    config = settings(mind, ear=ear, mouth=Mouth(), vad=Component("energy", lambda: EnergyDetector(EnergyConfig())))
    async with fake_call(conversation(config)) as call:
        await call.caller_speaks(silence(1) + speech(1) + silence(1) + music(3) + silence(4))
        assert said_by_agent(call)[-1] == "Here is one thing. There is another."
        assert len(ear.heard_seconds) > 1
        assert len(mind.histories) == 1
        ear.texts.append("Well?")
        await call.caller_speaks(speech(1) + silence(4))
    assert len(mind.histories) == 2


async def test_two_voices_at_once_are_told_so_and_one_of_them_is_answered(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """The second begins while the first is answered."""
    ear = Ear(["What", "what the spell is bread ox do you", "Spell ox"])
    config = settings(Rules(RulesConfig()), ear=ear, mouth=Mouth(), skills=(component("spelling", Spelling(None)),))
    voices = [memoryview(pcm).cast("h") for pcm in (speech(2), noise(2))]
    both = array("h", [(one + other) // 2 for one, other in zip(*voices, strict=True)])
    async with fake_call(conversation(config)) as call:
        await call.caller_speaks(speech(1) + silence(0.8) + both.tobytes() + silence(6))
        assert said_by_agent(call)[-1] == UNKNOWN
        await call.caller_speaks(speech(1) + silence(4))
    assert said_by_agent(call)[-1] == "Ox: O, X."


@pytest.mark.parametrize("half", ["caf\ud83d", "\udce9t\udce9"])
async def test_half_a_character_does_not_end_a_call(half: str, autojump_clock: trio.testing.MockClock) -> None:
    mind = Mind([half, ". Yes.", ToolCall("no_tool", {"of": half})], "Fine.")
    async with fake_call(conversation(settings(mind, ear=Ear([half, "Again"]), mouth=Mouth()))) as call:
        await call.caller_speaks(speech(1) + silence(4) + speech(1) + silence(4))
    assert said_by_agent(call)[-1] == "Fine."
    for _, data in call.sent_events:
        str(data).encode("utf-8")


async def test_markup_is_not_read_out(autojump_clock: trio.testing.MockClock) -> None:
    mouth = Mouth()
    answer = "# Hours\n\n**From** _nine_ <b>to</b> [six](https://example.org). ```rm -r /``` `Done`!"
    async with fake_call(conversation(settings(Mind(answer), mouth=mouth))) as call:
        await trio.sleep(0.1)
        call.caller_writes(TextMessage("When?"))
        await trio.sleep(5)
    assert mouth.texts == ["Hours", "From nine to six.", "Done!"]


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("See [our page](https://example.org/a_(b)) now.", "See our page now."),
        ('See [our page](https://example.org "A title") now.', "See our page now."),
        ("If 3 < 5 and 7 > 2, go on.", "If 3 < 5 and 7 2, go on."),
        ('<speak>Hi<break time="1s"/> there</speak>', "Hi there"),
        ("Bread &amp; butter", "Bread & butter"),
        ("Set opening_hours, __now__", "Set opening hours, now"),
        ("| day | from |\n|---|---|\n| Monday | 9 |", "day from Monday 9"),
        ("***\n---\n\U0001f44d &nbsp;", ""),
    ],
)
def test_markup_leaves_the_words(written: str, spoken: str) -> None:
    assert spoken_text(written) == spoken
