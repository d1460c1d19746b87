"""Which saying a misheard sentence sounds most like, and what is like none."""

import itertools

import pytest
from glottis_skills.numbers import numbers_of
from glottis_skills.sayings import Sayings
from glottis_skills.sounds import difference, sounds_of, weight
from support.cost import OPERATIONS_PER_MS, operations

SLOTS = {"day": ("today", "tomorrow"), "unit": ("inches", "centimeters", "pounds", "grams"), "time": ("minute", "hour")}
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
    return Sayings(SAYINGS, SLOTS)


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
    likely = sayings.closest(heard)
    assert likely is not None
    assert likely.text == meant
    assert 0.65 < likely.share < 1


@pytest.mark.parametrize("said", ["repeat that", "what day is it tomorrow", "what is the square root of eighty one"])
def test_what_was_said_well_is_like_itself(said: str, sayings: Sayings) -> None:
    assert sayings.closest(said) == (said, 1.0)


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
    likely = sayings.closest(said)
    assert likely is None or likely.share < 0.6


def test_words_of_a_number_follow_each_other_as_they_may(sayings: Sayings) -> None:
    """Each of its words alone sounds more like another: "eighteen one" is no number."""
    likely = sayings.closest("What is the square root of eighteen one?")
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


def test_long_nonsense_is_compared_before_a_caller_notices() -> None:
    words = ["".join(each) for each in itertools.product(("ba", "ke", "li", "mo"), ("nur", "rost", "stil", "spek"))]
    questions = [f"where is the {first} {second}" for first in words for second in words]
    sayings = Sayings([*SAYINGS, *questions], SLOTS)
    assert operations(sayings.closest, " ".join(words)) < 150 * OPERATIONS_PER_MS
