"""Which saying a misheard sentence sounds most like, and what is like none."""

import itertools
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from glottis_conversation import Skill
from glottis_skills import ClockConfig, CourtesyConfig, GoodbyeConfig, HelpConfig, MessageConfig
from glottis_skills.answers import AnswersConfig, AnswersSkill
from glottis_skills.arithmetic import Arithmetic
from glottis_skills.clock import Clock
from glottis_skills.forms import message
from glottis_skills.manners import Courtesy, Goodbye, Help, Repeat, VoiceSkill
from glottis_skills.numbers import numbers_of
from glottis_skills.sayings import Likeness, Sayings, as_heard
from glottis_skills.sounds import difference, sounds_of, weight
from glottis_skills.spelling import Spelling
from glottis_skills.timers import Timers
from glottis_skills.units import Units
from support.cost import OPERATIONS_PER_MS, operations

SLOTS = as_heard(
    {"day": ("today", "tomorrow"), "unit": ("inches", "centimeters", "pounds", "grams"), "time": ("minute", "hour")}
)
SAYINGS = (
    "what is the square root of {number}",
    "how many {unit} are in {number} {unit}",
    "what day is it {day}",
    "tell me what day it is",
    "spell the word {word}",
    "remind me in {number} {time} to {text}",
    "cancel the {number} {time} timer",
    "speak a little slower",
    "speak a little louder",
    "repeat that",
    "what is {number} divided by {number}",
)


@pytest.fixture(name="sayings", scope="module")
def make_sayings() -> Sayings:
    return sayings_with(SAYINGS)


def sayings_with(texts: Iterable[str]) -> Sayings:
    made = Sayings(SLOTS)
    for text in texts:
        made.add(text)
    return made


def closest(sayings: Sayings, said: str) -> Likeness | None:
    return next(iter(deque(sayings.search(said), maxlen=1)), None)


@pytest.mark.parametrize(
    ("heard", "meant"),
    [
        ("What is the square root of A, T, one?", "what is the square root of eighty one"),
        ("How many centimeters are intent inches?", "how many centimeters are in ten inches"),
        ("Please speak a little slyr.", "speak a little slower"),
        ("Can you rip me that, please?", "repeat that"),
        ("Cancele the five minute timer.", "cancel the five minute timer"),
        ("Cancel the 5 minute tamer.", "cancel the 5 minute timer"),
        ("Tell me what day eat is.", "tell me what day it is"),
        ("Smell the word banana.", "spell the word banana"),
        ("Reminds me in one our to call the doctor", "remind me in one hour to call the doctor"),
        ("What is two hundred fife divided by for?", "what is two hundred five divided by four"),
    ],
)
def test_a_misheard_sentence_is_the_one_that_it_sounds_like(heard: str, meant: str, sayings: Sayings) -> None:
    likely = closest(sayings, heard)
    assert likely is not None
    assert likely.text == meant
    assert 0.65 < likely.share < 1


@pytest.mark.parametrize("said", ["repeat that", "what day is it tomorrow", "what is the square root of eighty one"])
def test_what_was_said_well_is_like_itself(said: str, sayings: Sayings) -> None:
    assert closest(sayings, said) == (said, 1.0)


@pytest.mark.parametrize(
    "said",
    [
        "",
        "?!",
        "☃ снег 雪",
        "The weather in London was awful last week.",
        "My dog does not like the new neighbours.",
        "How do I get to the railway station?",
        "Quelle heure est-il maintenant?",
        "word " * 500,
        "x" * 10_000,
    ],
)
def test_what_sounds_like_none_is_none(said: str, sayings: Sayings) -> None:
    likely = closest(sayings, said)
    assert likely is None or likely.share < 0.6


def test_words_of_a_number_follow_each_other_as_they_may(sayings: Sayings) -> None:
    """Each of its words alone sounds more like another: "eighteen one" is no number."""
    likely = closest(sayings, "What is the square root of eighteen one?")
    assert likely is not None
    assert len(numbers_of(likely.text)) == 1


@pytest.mark.parametrize(
    ("word", "like", "unlike"),
    [
        ("slyr", "slower", "louder"),
        ("knight", "night", "kite"),
        ("fone", "phone", "pone"),
    ],
)
def test_what_sounds_alike_differs_less_than_what_is_spelt_alike(word: str, like: str, unlike: str) -> None:
    heard = sounds_of(word)
    assert difference(heard, sounds_of(like)) <= difference(heard, sounds_of(unlike))


@pytest.mark.parametrize("pair", [*itertools.combinations(["ten", "tent", "bread", "breath", "", "a"], 2)])
def test_a_difference_is_the_same_both_ways_and_at_most_all_of_both(pair: tuple[str, str]) -> None:
    one, other = map(sounds_of, pair)
    assert difference(one, other) == pytest.approx(difference(other, one))
    assert 0 <= difference(one, other) <= weight(one) + weight(other)


OVER = object()
SYLLABLES = ("ba", "ke", "li", "mo"), ("nur", "rost", "stil", "spek")
NONSENSE = ["".join(each) for each in itertools.product(*SYLLABLES)]
LONG = [f"{first}{second}" for first, second in itertools.pairwise([*NONSENSE, NONSENSE[0]])]


def sayings_of_an_assistant(file: Path) -> list[str]:
    """With a file of 256 questions."""
    floor: Any = None  # of which nobody asks anything before a tool is run
    file.write_text("\n".join(f"# Where is the {one} {other}?\nHere." for one in NONSENSE for other in NONSENSE))
    skills: list[Skill] = [
        *(Arithmetic(None), Units(None), Spelling(None), Timers(None), Repeat(None), VoiceSkill(None)),
        *(Clock(ClockConfig()), Courtesy(CourtesyConfig()), Goodbye(GoodbyeConfig()), Help(HelpConfig())),
        *(message(MessageConfig()), AnswersSkill(AnswersConfig(file=str(file)))),
    ]
    return [saying for skill in skills for tool in skill.tools(floor) for saying in tool.sayings]


def costs_of(search: Iterator[object]) -> list[int]:
    """Operations up to each piece."""
    costs, is_over = [], False

    def step() -> None:
        nonlocal is_over
        is_over = next(search, OVER) is OVER

    while not is_over:
        costs.append(operations(step))
    return costs


@pytest.mark.parametrize("said", [NONSENSE, LONG, ["how", "many"] * 8, ["ten", "x" * 30] * 8, ["one", "two"] * 8])
def test_a_search_lets_others_have_their_turn(said: list[str], tmp_path: Path) -> None:
    """Of all that an assistant can be asked, and a file; by the worst that was found to say."""
    costs = costs_of(sayings_with(sayings_of_an_assistant(tmp_path / "shop.md")).search(" ".join(said)))
    assert max(costs) < 1.5 * OPERATIONS_PER_MS
    assert sum(costs) < 150 * OPERATIONS_PER_MS


def test_a_saying_with_a_slot_that_nobody_knows_is_left_out_and_told(caplog: pytest.LogCaptureFixture) -> None:
    sayings = sayings_with(["order {number} loaves", "order {bread} for {day}"])
    likely = closest(sayings, "Order to loaves.")
    assert likely is not None
    assert likely.text == "order two loaves"
    assert closest(sayings, "order rye for tomorrow") is None
    assert [record.args[:2] for record in caplog.records if isinstance(record.args, tuple)] == [
        ("order {bread} for {day}", "{bread}")
    ]
