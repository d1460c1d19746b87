"""Timers speak up, whatever the caller does meanwhile."""

import pytest
import trio.testing
from glottis import TextMessage
from glottis.testing import fake_call
from glottis.testing.fake_call import FakeCall
from glottis_conversation import ConversationConfig, conversation
from glottis_skills import RulesConfig
from glottis_skills.manners import Goodbye, GoodbyeConfig
from glottis_skills.rules import Rules
from glottis_skills.timers import Timers
from support.talking import Ear, Mouth, component, settings, silence, speech

OVER = "Your timer of 10 seconds is over."
SOON_OVER = "Your timer of 5 seconds is over."


def with_timers(*, ear: Ear | None = None, mouth: Mouth | None = None, **others: object) -> ConversationConfig:
    skills = (component("timers", Timers(None)), component("goodbye", Goodbye(GoodbyeConfig())))
    return settings(Rules(RulesConfig(unknown="Aha.")), ear=ear, mouth=mouth, skills=skills, **others)


async def written(call: FakeCall, text: str) -> str:
    """What is written back."""
    before = len(call.sent_messages)
    call.caller_writes(TextMessage(text))
    await trio.sleep(0.1)
    return " ".join(str(message) for message, _ in call.sent_messages[before:])


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Set a timer for ten seconds.", OVER),
        ("Could you please start a 10 second timer?", OVER),
        ("ten seconds timer", OVER),
        ("Remind me in ten seconds to call my mother", "I remind you to call your mother."),
        ("Remind me to call my mother in ten seconds.", "I remind you to call your mother."),
    ],
)
async def test_a_timer_speaks_up_when_its_time_has_come(
    text: str, answer: str, autojump_clock: trio.testing.MockClock
) -> None:
    async with fake_call(conversation(with_timers())) as call:
        assert "10 seconds" in await written(call, text)
        await trio.sleep(9.7)
        assert len(call.sent_messages) == 1
        await trio.sleep(0.5)
        assert call.sent_messages[1:] == [(answer, None)]


@pytest.mark.slow
async def test_timers_are_listed_and_cancelled(autojump_clock: trio.testing.MockClock) -> None:
    async with fake_call(conversation(with_timers())) as call:
        assert await written(call, "Which timers are running?") == "No timer is running."
        assert await written(call, "Cancel the timer") == "No timer is running."
        await written(call, "Set a timer for ten seconds")
        await written(call, "Set a timer for twenty seconds")
        assert await written(call, "How much time is left?") == (
            "The timer of 10 seconds has 10 seconds left. The timer of 20 seconds has 20 seconds left."
        )
        assert await written(call, "Cancel the timer") == "Which one? There are those of 10 seconds and 20 seconds."
        assert await written(call, "Cancel the ten-second timer") == "The timer of 10 seconds is cancelled."
        assert await written(call, "Cancel the five minute timer") == "No such timer is running."
        await trio.sleep(11)
        assert await written(call, "Delete all timers, please") == "The timer of 20 seconds is cancelled."
        count = len(call.sent_messages)
        await trio.sleep(10)
        assert len(call.sent_messages) == count


@pytest.mark.parametrize("text", ["Set a timer for zero minutes", "Set a timer for nine days"])
async def test_a_timer_of_no_time_or_too_much_is_refused(text: str, autojump_clock: trio.testing.MockClock) -> None:
    async with fake_call(conversation(with_timers())) as call:
        assert await written(call, text) == "I can do timers of a second up to a day."


async def test_there_are_not_too_many_timers(autojump_clock: trio.testing.MockClock) -> None:
    async with fake_call(conversation(with_timers())) as call:
        for _ in range(20):
            assert "runs for" in await written(call, "Set a timer for an hour")
        assert await written(call, "Set a timer for an hour") == "There are too many timers. Cancel some first."


@pytest.mark.slow
async def test_nobody_is_sent_away_while_a_timer_runs(autojump_clock: trio.testing.MockClock) -> None:
    mouth = Mouth()
    config = with_timers(mouth=mouth, idle_seconds=3.0, idle_prompts=("Hello?",))
    async with fake_call(conversation(config)) as call:
        call.caller_writes(TextMessage("Set a timer for ten seconds"))
        await call.ended.wait()
        assert trio.current_time() > 10
    assert mouth.texts == ["Your timer runs for 10 seconds.", OVER, "Hello?", "Goodbye."]


@pytest.mark.slow
async def test_a_timer_speaks_up_while_the_caller_goes_on_talking(autojump_clock: trio.testing.MockClock) -> None:
    mouth = Mouth()
    config = with_timers(ear=Ear(["Set a timer for five seconds.", "blah"]), mouth=mouth, max_turn_seconds=60.0)
    async with fake_call(conversation(config)) as call:
        await call.caller_speaks(speech(1) + silence(2) + speech(7))
        assert mouth.texts == ["Your timer runs for 5 seconds.", SOON_OVER]
        await call.caller_speaks(silence(4))
    assert mouth.texts[2:] == ["Aha."]


@pytest.mark.slow
async def test_a_caller_who_is_about_to_finish_is_let_finish(autojump_clock: trio.testing.MockClock) -> None:
    mouth = Mouth()
    config = with_timers(ear=Ear(["Set a timer for five seconds.", "blah"]), mouth=mouth)
    async with fake_call(conversation(config)) as call:
        await call.caller_speaks(speech(1) + silence(4) + speech(1.8) + silence(6))
    assert sorted(mouth.texts[1:]) == ["Aha.", SOON_OVER]
    heard = [data["text"] for name, data in call.sent_events if name == "transcript" and data["final"]]
    assert SOON_OVER in heard


@pytest.mark.slow
async def test_a_timer_waits_for_the_end_of_what_the_agent_says(autojump_clock: trio.testing.MockClock) -> None:
    mouth = Mouth()
    config = with_timers(ear=Ear(["Set a timer for five seconds.", "blah"]), mouth=mouth)
    config = type(config)(
        **{name: getattr(config, name) for name in config.__struct_fields__}
        | {"llm": component("rules", Rules(RulesConfig(unknown="A long tale. " * 10)))}
    )
    async with fake_call(conversation(config)) as call:
        await call.caller_speaks(speech(1) + silence(2) + speech(1) + silence(14))
    assert mouth.texts == ["Your timer runs for 5 seconds.", *["A long tale."] * 10, SOON_OVER]
