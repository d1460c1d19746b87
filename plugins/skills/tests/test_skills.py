"""What callers say, and what an assistant without a language model answers."""

from array import array
from collections.abc import Callable, Sequence
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any

import pytest
import trio.testing
from glottis import Component, ConfigurationError, TextMessage
from glottis.testing import ComponentContract, fake_call
from glottis.testing.fake_call import FakeCall
from glottis_conversation import (
    ConversationConfig,
    Manner,
    Message,
    Request,
    Skill,
    Tool,
    ToolCall,
    conversation,
    tool_of,
)
from glottis_skills import AnswersConfig, AssistantConfig, ClockConfig, RulesConfig, register_components
from glottis_skills.answers import AnswersSkill, entries_of
from glottis_skills.arithmetic import Arithmetic, sum_of
from glottis_skills.clock import Clock
from glottis_skills.durations import duration_in, spoken_duration
from glottis_skills.manners import (
    Courtesy,
    CourtesyConfig,
    Goodbye,
    GoodbyeConfig,
    Help,
    HelpConfig,
    Repeat,
    VoiceSkill,
)
from glottis_skills.rules import Rules, most_certain
from glottis_skills.spelling import Spelling
from glottis_skills.timers import Timers
from glottis_skills.units import Units
from support.talking import Ear, Mind, Mouth, component, settings, silence, speech

SHOP = """# Our shop

## When are you open?

From nine to six.

## Where can I park my car?

Behind the house.

## Do you sell gift cards?

Yes, of 20 euros and more.

## Do you take credit cards?

Yes, all of them.
"""
UNKNOWN = RulesConfig().unknown


@pytest.mark.slow
class TestContract(ComponentContract):
    spec = next(spec for spec in register_components() if spec.name == "skills")


def today(zone: tzinfo | None) -> datetime:
    return datetime(2026, 3, 5, 14, 7, tzinfo=zone)


BASICS: dict[str, Callable[[], Skill]] = {
    "repeat": lambda: Repeat(None),
    "voice": lambda: VoiceSkill(None),
    "goodbye": lambda: Goodbye(GoodbyeConfig()),
    "timers": lambda: Timers(None),
    "arithmetic": lambda: Arithmetic(None),
    "units": lambda: Units(None),
    "spelling": lambda: Spelling(None),
    "clock": lambda: Clock(ClockConfig(), today),
    "courtesy": lambda: Courtesy(CourtesyConfig()),
    "help": lambda: Help(HelpConfig(about="I am a clock.")),
}


def assistant(*more: Skill, **others: Any) -> ConversationConfig:
    """With all skills that need no settings, and ``more`` of them before."""
    skills = [component("more", each) for each in more] + [Component(name, make) for name, make in BASICS.items()]
    return settings(Rules(RulesConfig()), skills=tuple(skills), **others)


class Desk:
    """A floor without a conversation: what is asked here is answered at once, by the tool that is surest."""

    def __init__(self, *more: Skill) -> None:
        self.call: Any = self
        self.manner = Manner()
        self.history: list[Message] = []
        self.tools: list[Tool] = []
        self.tools = [tool for skill in (*more, *(make() for make in BASICS.values())) for tool in skill.tools(self)]
        self.events: list[tuple[str, object]] = []

    async def send_event(self, name: str, data: object) -> None:
        self.events.append((name, data))

    def speak_up(self, text: str) -> None: ...

    def start_soon(self, task: Callable[..., Any], *args: Any) -> None: ...

    async def hang_up(self) -> None: ...

    async def answers(self, *texts: str) -> list[str]:
        said = []
        for text in texts:
            found = await most_certain(text, self.tools)
            said.append(await found[0].run(found[1].arguments) if found is not None else UNKNOWN)
            self.history += [Message("user", text), Message("assistant", said[-1])]
        return said


async def told(call: FakeCall, *texts: str) -> list[str]:
    """What is written back to each of these."""
    answers = []
    for text in texts:
        before = len(call.sent_messages)
        call.caller_writes(TextMessage(text))
        await trio.sleep(0.2)
        answers.append(" ".join(str(message) for message, _ in call.sent_messages[before:]))
    return answers


async def answers_to(config: ConversationConfig, *texts: str) -> list[str]:
    async with fake_call(conversation(config)) as call:
        return await told(call, *texts)


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("What is two plus two?", "4"),
        ("twelve times 7 plus three", "87"),
        ("one hundred and five minus 5", "100"),
        ("What's 1,000 divided by 3?", "333.333"),
        ("two thousand five hundred over five", "500"),
        ("twenty-five and a half times two", "51"),
        ("1.5 * 4", "6"),
        ("two point five times four", "10"),
        ("seven minus seven", "0"),
        ("What is fifteen percent of 80?", "12"),
        ("the square root of 81", "9"),
        ("one divided by zero", "That has no result."),
        ("square root of zero minus square root of 4", "-2"),
        ("two plus", None),
        ("plus plus", None),
        ("What is love?", None),
        ("five", None),
        ("9" * 1000 + " plus 1", None),
        ("", None),
    ],
)
def test_sums_are_done_in_words_and_figures(text: str, result: str | None) -> None:
    assert sum_of(text) == result


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("five minutes", 300),
        ("an hour and a half", 5400),
        ("one and a half hours", 5400),
        ("half an hour", 1800),
        ("a quarter of an hour", 900),
        ("1 hour and 20 minutes", 4800),
        ("one minute thirty", 90),
        ("ninety seconds", 90),
        ("a minute", 60),
        ("ten eggs", None),
        ("minutes", None),
        ("", None),
    ],
)
def test_lengths_of_time_are_understood(text: str, seconds: int | None) -> None:
    assert duration_in(text) == seconds


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(1, "1 second"), (4800, "1 hour and 20 minutes"), (90061, "1 day, 1 hour, 1 minute and 1 second")],
)
def test_lengths_of_time_are_spoken(seconds: int, text: str) -> None:
    assert spoken_duration(seconds) == text


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("What time is it, please?", "It is 14:07."),
        ("Could you tell me the time?", "It is 14:07."),
        ("What day is today?", "Today is Thursday, 5 March 2026."),
        ("Which day is it tomorrow?", "Tomorrow is Friday, 6 March 2026."),
        ("How much is 6 times 7", "42"),
        ("How many kilometres are five miles?", "5 miles are 8.05 kilometres."),
        ("Convert seventy degrees Fahrenheit to Celsius", "70 degrees Fahrenheit are 21.11 degrees Celsius."),
        ("How many grams are in a pound?", "1 pound are 453.59 grams."),
        ("How many miles to the litre", UNKNOWN),
        ("How do you spell necessary?", "Necessary: N, E, C, E, S, S, A, R, Y."),
        ("Please tell the word ox.", "Ox: O, X."),
        ("What is the date to Monroe?", "Tomorrow is Friday, 6 March 2026."),
        ("What is the date to Molo?", "Tomorrow is Friday, 6 March 2026."),
        ("What is the day tomorrow?", "Tomorrow is Friday, 6 March 2026."),
        ("What is the date to the letter?", "Today is Thursday, 5 March 2026."),
        ("Set a timer for the hour and a half.", "Your timer runs for 1 hour and 30 minutes."),
        ("Set a time or four-five minutes.", "Your timer runs for 5 minutes."),
        ("How many grams are to pounds?", "2 pounds are 907.18 grams."),
        ("Convert miles to kilometers", "1 mile are 1.61 kilometres."),
        ("Bring mine me in one hour to call my mother", "I will remind you in 1 hour to call your mother."),
        ("Remind me and one hour to call my mother", "I will remind you in 1 hour to call your mother."),
        ("Can you repeat heart, please?", "I have not said anything yet."),
        ("What is the square root of A, T, one?", "9"),
        ("How many centimeters are intent inches?", "10 inches are 25.4 centimetres."),
        ("Cancele the five minute timer.", "No timer is running."),
        ("Please speak a little slyr.", "Like this?"),
        ("My dog does not like the new neighbours.", UNKNOWN),
        ("How do I get to the railway station?", UNKNOWN),
        ("Set the table for the five of us.", UNKNOWN),
        ("Hello!", "Hello. What can I do for you?"),
        ("Thank you very much", "You are welcome."),
        ("Repeat!", "I have not said anything yet."),
        ("Colourless green ideas", UNKNOWN),
        ("☃ '-' \" OR *", UNKNOWN),
        ("word " * 500, UNKNOWN),
    ],
)
async def test_it_answers_by_rules(text: str, answer: str) -> None:
    assert await Desk().answers(text) == [answer]


async def test_it_says_the_last_again() -> None:
    assert (await Desk().answers("Spell ox", "Could you say that again?"))[1] == "Ox: O, X."


async def test_who_asks_for_help_hears_what_to_say() -> None:
    [answer] = await Desk().answers("What can you do?")
    assert answer.startswith("I am a clock. You can say, for example: say that again; speak slower;")


async def test_goodbye_ends_the_call(autojump_clock: trio.testing.MockClock) -> None:
    async with fake_call(conversation(assistant())) as call:
        call.caller_writes(TextMessage("Well, goodbye then."))
        await call.ended.wait()
    assert call.sent_messages == [("Goodbye.", None)]


class PacedMouth(Mouth):
    """Knows how fast it was told to speak each sentence."""

    def __init__(self) -> None:
        super().__init__()
        self.pace = 1.0
        self.paces: list[float] = []

    def synthesize(self, text: str) -> Any:
        self.paces.append(self.pace)
        return super().synthesize(text)


@pytest.mark.slow
async def test_it_speaks_slower_and_louder_from_then_on(autojump_clock: trio.testing.MockClock) -> None:
    mouth = PacedMouth()
    texts = ["Spell ox.", "Can you repeat that more slowly?", "Quieter, please", "Speak normally"]
    async with fake_call(conversation(assistant(ear=Ear(texts), mouth=mouth))) as call:
        for _ in texts:
            await call.caller_speaks(speech(0.5) + silence(3.5))
    assert mouth.texts == ["Ox: O, X.", *["Like this?", "Ox: O, X."] * 3]
    assert mouth.paces == [1, 0.9, 0.9, 0.9, 0.9, 1, 1]
    levels = set(array("h", bytes(call.heard_pcm)))
    assert {0, 10000, 5623} <= levels


@pytest.fixture(name="shop")
def write_shop(tmp_path: Path) -> AnswersSkill:
    path = tmp_path / "shop.md"
    path.write_text(SHOP)
    return AnswersSkill(AnswersConfig(file=str(path)))


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("When do you open?", "From nine to six."),
        ("I would like to know where I can do the parking", "Behind the house."),
        ("Do you have gift cards", "Yes, of 20 euros and more."),
        ("Do you take creadit", "Yes, all of them."),
        ("Where can I part my car?", "Behind the house."),
        ("Win are you open?", "From nine to six."),
        ("Who painted the Mona Lisa?", UNKNOWN),
        ("What time is it?", "It is 14:07."),
        ('open" OR question:*', "From nine to six."),
    ],
)
async def test_it_answers_from_a_file(text: str, answer: str, shop: AnswersSkill) -> None:
    assert await Desk(shop).answers(text) == [answer]


async def test_the_client_is_shown_the_text_of_an_answer(
    shop: AnswersSkill, autojump_clock: trio.testing.MockClock
) -> None:
    async with fake_call(conversation(assistant(shop))) as call:
        await told(call, "When do you open?")
    source = {"question": "When are you open?", "text": "From nine to six."}
    assert [data for name, data in call.sent_events if name == "source"] == [source]


@pytest.mark.parametrize(
    ("texts", "answers"),
    [
        (["What about cards?", "gift cards"], ["Yes, of 20 euros and more."]),
        (["What about cards?", "The credit ones"], ["Yes, all of them."]),
        (["What about cards?", "No", "When do you open?"], ["Then please ask in other words.", "From nine to six."]),
        (["Broken parking machines", "Yes, please"], ["Behind the house."]),
    ],
)
async def test_it_asks_back_where_it_is_unsure(
    texts: Sequence[str], answers: Sequence[str], shop: AnswersSkill
) -> None:
    asked, *found = await Desk(shop).answers(*texts)
    assert asked.startswith("Do you mean: ")
    assert found == answers


async def test_of_two_questions_the_first_and_the_second_can_be_chosen(shop: AnswersSkill) -> None:
    asked, answer = await Desk(shop).answers("What about cards?", "The second one")
    assert answer == ("Yes, all of them." if asked.endswith("credit cards?") else "Yes, of 20 euros and more.")


@pytest.mark.parametrize(
    "text", ["", "no heading", "# Only\n\n## Headings\n", "# A\n" + "x" * 5000, "# " + "x" * 400 + "\nb"]
)
def test_a_file_without_answers_that_can_be_spoken_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "answers.md"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match="file: expected "):
        AnswersSkill(AnswersConfig(file=str(path)))


def test_code_has_no_headings() -> None:
    found = entries_of("# Set up\n```\n# Run this:\nmake\n```\n# Run\nNow.\n")
    assert [entry.question for entry in found] == ["Set up", "Run"]


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "answers.md"
    with pytest.raises(ConfigurationError, match="file: cannot read"):
        AnswersSkill(AnswersConfig(file=str(path)))
    path.write_bytes(b"# A\n\n\xff\n")
    with pytest.raises(ConfigurationError, match="file: cannot read"):
        AnswersSkill(AnswersConfig(file=str(path)))
    path.write_bytes(b"# A\n" + b"x" * (4 << 20))
    with pytest.raises(ConfigurationError, match="has more than"):
        AnswersSkill(AnswersConfig(file=str(path)))


def test_a_time_zone_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="time_zone: expected one such as"):
        ClockConfig(time_zone="Mars/Crater")


async def test_a_model_has_the_skills_as_its_tools(autojump_clock: trio.testing.MockClock) -> None:
    mind = Mind([ToolCall("convert_units", {"amount": 5, "from_unit": "miles", "to_unit": "kilometres"})], "Eight!")
    config = settings(mind, skills=tuple(Component(name, make) for name, make in BASICS.items()))
    assert await answers_to(config, "Five miles, in the units of the continent?") == ["Eight!"]
    assert mind.histories[1][-1].text == "5 miles are 8.05 kilometres."
    assert {"set_timer", "calculate", "spell", "tell_time", "hang_up"} <= {tool.name for tool in mind.tools}


async def test_what_a_skill_cannot_do_is_said_in_words(autojump_clock: trio.testing.MockClock) -> None:
    class Broken:
        def tools(self, floor: object) -> Any:
            async def unlock() -> None:
                """Fails."""
                raise OSError("no key")

            return [tool_of(unlock, lambda said: Request() if "open" in said else None)]

    assert await answers_to(assistant(Broken()), "open") == [RulesConfig().failed]


def test_the_assistant_can_do_all_that_needs_no_settings() -> None:
    needs_settings = {"answers", "form"}
    skills = {spec.name for spec in register_components()} - {"skills"}
    assert {each.name for each in AssistantConfig().skills} == skills - needs_settings
