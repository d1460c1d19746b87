from datetime import datetime
from pathlib import Path

import pytest
from glottis import ConfigurationError
from glottis.testing import ComponentContract
from glottis_conversation import Message, ToolCall
from glottis_skills import Skills, SkillsConfig, register_components
from glottis_skills.arithmetic import sum_of
from glottis_skills.model import UNKNOWN

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


@pytest.mark.slow
class TestContract(ComponentContract):
    (spec,) = register_components()


@pytest.fixture(name="shop")
def write_shop(tmp_path: Path) -> SkillsConfig:
    path = tmp_path / "shop.md"
    path.write_text(SHOP)
    return SkillsConfig(answers=str(path))


async def said(text: str, config: SkillsConfig | None = None, *before: Message) -> list[str | ToolCall]:
    skills = Skills(config or SkillsConfig(), now=lambda zone: datetime(2026, 3, 5, 14, 7, tzinfo=zone))
    return [piece async for piece in skills.reply([*before, Message("user", text)], ())]


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("What is two plus two?", "4"),
        ("twelve times 7 plus three", "87"),
        ("one hundred and five minus 5", "100"),
        ("What's 1,000 divided by 3?", "333.333"),
        ("two thousand five hundred over five", "500"),
        ("1.5 * 4", "6"),
        ("seven minus seven", "0"),
        ("one divided by zero", "That has no result."),
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
    ("text", "answer"),
    [
        ("What time is it, please?", "It is 14:07."),
        ("What day is today?", "Today is Thursday, 5 March 2026."),
        ("How much is 6 times 7", "42"),
        ("Hello!", "Hello. What can I do for you?"),
        ("Colourless green ideas", UNKNOWN),
        ("☃ '-' \" OR *", UNKNOWN),
    ],
)
async def test_it_answers_by_rules(text: str, answer: str) -> None:
    assert await said(text) == [answer]


async def test_it_says_the_last_again() -> None:
    assert await said("Could you say that again?", None, Message("assistant", "Nine."), Message("user", "Oh")) == [
        "Nine."
    ]
    assert await said("Repeat!") == ["I have not said anything yet."]


async def test_goodbye_ends_the_call() -> None:
    assert await said("Well, goodbye then.") == ["Goodbye.", ToolCall("hang_up")]


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("When do you open?", "From nine to six."),
        ("I would like to know where I can do the parking", "Behind the house."),
        ("Do you have gift cards", "Yes, of 20 euros and more."),
        ("What about cards?", "Do you mean: Do you sell gift cards? Or: Do you take credit cards?"),
        ("Who painted the Mona Lisa?", UNKNOWN),
        ("What time is it?", "It is 14:07."),
        ('open" OR question:*', "From nine to six."),
    ],
)
async def test_it_answers_from_a_file(text: str, answer: str, shop: SkillsConfig) -> None:
    [found] = await said(text, shop)
    assert isinstance(found, str)
    if "Do you mean" in answer:
        assert sorted(found.removeprefix("Do you mean: ").split(" Or: ")) == [
            "Do you sell gift cards?",
            "Do you take credit cards?",
        ]
    else:
        assert found == answer


@pytest.mark.parametrize("text", ["", "no heading", "# Only\n\n## Headings\n"])
def test_a_file_without_answers_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "answers.md"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match="answers: expected headings"):
        Skills(SkillsConfig(answers=str(path)))


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "answers.md"
    with pytest.raises(ConfigurationError, match="answers: cannot read"):
        Skills(SkillsConfig(answers=str(path)))
    path.write_bytes(b"# A\n\n\xff\n")
    with pytest.raises(ConfigurationError, match="answers: cannot read"):
        Skills(SkillsConfig(answers=str(path)))
    path.write_bytes(b"# A\n" + b"x" * (4 << 20))
    with pytest.raises(ConfigurationError, match="has more than"):
        Skills(SkillsConfig(answers=str(path)))


def test_a_time_zone_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="time_zone: expected one such as"):
        SkillsConfig(time_zone="Mars/Crater")
