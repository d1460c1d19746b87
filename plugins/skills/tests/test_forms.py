"""Forms that are filled in by talking."""

import json
from collections.abc import Sequence
from datetime import date, datetime, tzinfo
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio.testing
from glottis import ConfigurationError, TextMessage
from glottis.testing import fake_call
from glottis_conversation import conversation
from glottis_skills import FormConfig, MessageConfig, RulesConfig, Slot
from glottis_skills.filling import Filling, Stage
from glottis_skills.forms import Form, message
from glottis_skills.manners import Goodbye, GoodbyeConfig, Repeat
from glottis_skills.rules import SURE, Rules
from glottis_skills.slots import Kind, spotted, value_of
from support.talking import component, settings

TODAY = date(2026, 3, 5)  # a Thursday
TABLE = (
    Slot(label="day", ask="For which day?", kind="date"),
    Slot(label="time", ask="At what time?", kind="time"),
    Slot(label="people", ask="For how many?", kind="number"),
    Slot(label="name", ask="What is your name?", kind="name"),
)
BOOKING = FormConfig(title="booking", phrases=("book a table", "reservation"), slots=TABLE)
SAID_BACK = "I have day: Friday, 6 March; time: 19:00; people: 4; name: Alice Johnson. Is that right?"


@pytest.mark.parametrize(
    ("kind", "said", "value"),
    [
        ("date", "On Friday, please.", "Friday, 6 March"),
        ("date", "thursday", "Thursday, 12 March"),
        ("date", "tomorrow evening", "Friday, 6 March"),
        ("date", "the day after tomorrow", "Saturday, 7 March"),
        ("date", "the twenty-first of March", "Saturday, 21 March"),
        ("date", "March 4th", "Thursday, 4 March"),
        ("date", "the 31st of February", None),
        ("date", "whenever", None),
        ("time", "at seven in the evening", "19:00"),
        ("time", "7:30 p.m.", "19:30"),
        ("time", "half past eight", "8:30"),
        ("time", "quarter to nine", "8:45"),
        ("time", "ten past six", "6:10"),
        ("time", "seven thirty", "7:30"),
        ("time", "730", "7:30"),
        ("time", "noon", "12:00"),
        ("time", "25:00", None),
        ("time", "later", None),
        ("number", "There are four of us", "4"),
        ("number", "a couple", "2"),
        ("number", "many", None),
        ("name", "Hello, my name is Bob.", "Bob"),
        ("name", "It's alice johnson.", "Alice Johnson"),
        ("name", "  ", None),
        ("phone", "five five five, one two double three", "5551233"),
        ("phone", "+43 660 123 45 67", "+436601234567"),
        ("phone", "oh one, twenty three", "0123"),
        ("phone", "none", None),
        ("text", "Call me. It is urgent!", "Call me. It is urgent!"),
    ],
)
def test_values_are_found_in_what_is_said(kind: Kind, said: str, value: str | None) -> None:
    assert value_of(kind, said, TODAY) == value


@pytest.mark.parametrize(
    ("kind", "said", "value"),
    [
        ("number", "a table for four at seven", "4"),
        ("number", "three people", "3"),
        ("number", "the 5th of May", None),
        ("time", "a table for four", None),
        ("time", "at seven", "7:00"),
        ("text", "anything", None),
    ],
)
def test_only_what_can_be_nothing_else_is_spotted(kind: Kind, said: str, value: str | None) -> None:
    assert spotted(kind, said, TODAY) == value


def talk(*said: str, slots: Sequence[Slot] = TABLE) -> tuple[Filling, list[str]]:
    filling = Filling(slots, TODAY)
    return filling, [filling.begin(said[0]), *map(filling.take, said[1:])]


def test_it_asks_for_each_and_has_it_confirmed() -> None:
    filling, answers = talk("book a table", "Friday", "7 pm", "four", "Alice Johnson", "Yes, please")
    assert answers == [*[slot.ask for slot in TABLE], SAID_BACK, ""]
    assert filling.stage is Stage.DONE
    assert filling.values == {"day": "Friday, 6 March", "time": "19:00", "people": "4", "name": "Alice Johnson"}


def test_what_was_said_at_once_is_not_asked_again() -> None:
    _, answers = talk("I would like to book a table for four on Friday at 7 p.m.", "This is Alice Johnson")
    assert answers == ["What is your name?", SAID_BACK]


ALL = ("book a table for four on Thursday at 7 pm", "Alice Johnson")


@pytest.mark.parametrize(
    ("said", "label", "value"),
    [
        ("No, Friday", "day", "Friday, 6 March"),
        ("No, I said Friday!", "day", "Friday, 6 March"),
        ("Friday", "day", "Friday, 6 March"),
        ("No, at half past eight", "time", "8:30"),
        ("no, five people", "people", "5"),
        ("The time should be eight p.m.", "time", "20:00"),
        ("Sorry, my name is Bob", "name", "Bob"),
        ("No, the name is Bob", "name", "Bob"),
    ],
)
def test_one_thing_is_corrected_by_saying_it(said: str, label: str, value: str) -> None:
    filling, answers = talk(*ALL, said)
    assert filling.values[label] == value
    assert answers[-1].startswith("I have day: ")
    assert len([each for each in filling.values.items() if each not in talk(*ALL)[0].values.items()]) == 1


def test_who_only_says_no_is_asked_what_to_change() -> None:
    filling, answers = talk(*ALL, "No.", "The day", "Friday", "Yes")
    assert answers[2:] == ["What shall I change?", "For which day?", SAID_BACK, ""]
    assert filling.stage is Stage.DONE


def test_an_earlier_answer_is_corrected_while_the_next_is_asked_for() -> None:
    filling, answers = talk("book a table", "Thursday", "No, Friday")
    assert answers[2] == "All right, Friday, 6 March. At what time?"
    assert filling.values == {"day": "Friday, 6 March"}


def test_what_is_no_value_is_asked_again_and_then_taken_as_it_was_said() -> None:
    _, answers = talk("book a table", "whenever", "when there is one")
    assert answers == ["For which day?", "I am sorry, I need a day. For which day?", "At what time?"]


@pytest.mark.parametrize("said", ["Never mind.", "Cancel that, please", "Forget it"])
def test_it_can_be_given_up(said: str) -> None:
    assert talk("book a table", said)[0].stage is Stage.GIVEN_UP
    assert talk(*ALL, said)[0].stage is Stage.GIVEN_UP


def now(zone: tzinfo | None) -> datetime:
    return datetime(2026, 3, 5, 14, 7)


async def events_and_answers(form: Any, *texts: str) -> tuple[list[object], list[str]]:
    others = (component("repeat", Repeat(None)), component("goodbye", Goodbye(GoodbyeConfig())))
    config = settings(Rules(RulesConfig()), skills=(*others, component("form", form)))
    async with fake_call(conversation(config)) as call:
        for text in texts:
            before = len(call.sent_messages)
            call.caller_writes(TextMessage(text))
            while len(call.sent_messages) == before:  # a file is written by a thread
                await trio.testing.wait_all_tasks_blocked()
    return (
        [data for name, data in call.sent_events if name == "form"],
        [str(text) for text, _ in call.sent_messages],
    )


async def test_a_message_is_taken_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "messages.jsonl"
    said = ["I'd like to leave a message", "Bob", "555 12 34", "Say that again", "Thank you for the bread.", "Right"]
    events, answers = await events_and_answers(message(MessageConfig(file=str(path))), *said)
    values = {"name": "Bob", "number": "5551234", "message": "Thank you for the bread."}
    assert answers == [
        "What is your name?",
        "What is your telephone number?",
        *["What is the message?"] * 2,
        "I have name: Bob; number: 5551234; message: Thank you for the bread.",
        "Is that right?",
        "Thank you, I will pass it on.",
    ]
    assert events == [{"title": "message", "values": values}]
    assert json.loads(path.read_text())["values"] == values


async def test_a_form_of_ones_own_is_found_by_its_phrases(autojump_clock: trio.testing.MockClock) -> None:
    texts = ["Can I make my reservation?", "never mind", "Book the table for Friday"]
    _, answers = await events_and_answers(Form(BOOKING, now), *texts)
    assert answers == ["For which day?", "All right, I leave it.", "At what time?"]


@pytest.mark.parametrize(
    ("said", "is_sure"),
    [
        ("five five five, one two three four", True),
        ("555-1234", True),
        ("Time, time, time, one, two, three, four.", False),
        ("five five time one two three four", False),
    ],
)
async def test_a_number_of_which_a_part_may_be_misheard_is_doubtful(said: str, is_sure: bool) -> None:
    floor: Any = None  # of which nobody asks anything before the form is complete
    [tool] = message(MessageConfig()).tools(floor)
    for text in ("take a message", "Alice"):
        await tool.run({"said": text})
    assert (await Rules(RulesConfig()).certainty(said, [tool]) >= SURE) == is_sure


async def test_who_says_goodbye_leaves_a_form_as_it_is(autojump_clock: trio.testing.MockClock) -> None:
    _, answers = await events_and_answers(Form(BOOKING, now), "Book a table", "Goodbye")
    assert answers == ["For which day?", "Goodbye."]


async def test_a_form_that_cannot_be_kept_is_said_to_be_lost(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    form = Form(msgspec.structs.replace(BOOKING, slots=TABLE[3:], file=str(tmp_path)), now)
    _, answers = await events_and_answers(form, "book a table", "Bob", "yes")
    assert answers[-2:] == ["I am sorry, I could not keep that.", "Please try again later."]
    assert "Bob" not in caplog.text
    assert "a form cannot be written to" in caplog.text


def test_a_form_that_makes_no_sense_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="slots: expected a label of its own for each"):
        msgspec.structs.replace(BOOKING, slots=(TABLE[0], TABLE[0]))
    with pytest.raises(ConfigurationError, match="file: there is no directory"):
        Form(msgspec.structs.replace(BOOKING, file=str(tmp_path / "no" / "file.jsonl")))
