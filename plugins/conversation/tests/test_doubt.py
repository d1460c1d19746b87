"""A recogniser is asked again where what it has understood makes no sense."""

from collections.abc import AsyncIterator, Sequence

import pytest
import trio
import trio.testing
from glottis import AudioFrame
from glottis.testing import fake_call
from glottis.testing.fake_call import FakeCall
from glottis_conversation import Transcript, conversation
from glottis_skills import RulesConfig
from glottis_skills.rules import Rules
from glottis_skills.spelling import Spelling
from support.talking import Mind, Mouth, component, settings, silence, speech

Piece = str | Exception | float
RIGHT, UNKNOWN = "Ox: O, X.", RulesConfig().unknown


class DoubtfulEar:
    """Understands ``text``, and when asked again what is in the list; a number waits so many seconds."""

    def __init__(self, text: str, *others: Piece) -> None:
        self.text = text
        self.others = others
        self.asked: list[Piece] = []

    async def transcribe(self, audio: AsyncIterator[AudioFrame]) -> AsyncIterator[Transcript]:
        async for _ in audio:
            pass
        yield Transcript(self.text, again=self.again)

    async def again(self) -> AsyncIterator[str]:
        for piece in self.others:
            self.asked.append(piece)
            if isinstance(piece, Exception):
                raise piece
            if isinstance(piece, float):
                await trio.sleep(piece)
            else:
                yield piece


def last_said(call: FakeCall, role: str) -> str:
    said = [data for name, data in call.sent_events if name == "transcript" and data["role"] == role and data["final"]]
    return str(said[-1]["text"])


async def heard(ear: DoubtfulEar, seconds: float = 6) -> tuple[str, str]:
    """What the client is told that the caller has said, and the answer."""
    config = settings(Rules(RulesConfig()), ear=ear, mouth=Mouth(), skills=(component("spelling", Spelling(None)),))
    async with fake_call(conversation(config)) as call:
        await call.caller_speaks(speech(1) + silence(seconds))
        return last_said(call, "user"), last_said(call, "agent")


@pytest.mark.parametrize(
    ("text", "others", "understood", "asked"),
    [
        ("Spell ox", ["Spell fox"], "Spell ox", 0),
        ("Grey weather", ["Green leather", "Spell ox", "Spell socks"], "Spell ox", 2),
        ("Grey weather", ["Green leather"], "Grey weather", 1),
        ("Grey weather", [OSError("broken"), "Spell ox"], "Grey weather", 1),
        ("Grey weather", [60.0, "Spell ox"], "Grey weather", 1),
        ("Grey weather", ["rock"] * 1000, "Grey weather", 8),
        ("Grey weather", ["\ud83d", "Spell ox"], "Spell ox", 2),
    ],
)
async def test_who_is_not_understood_at_first_may_be_at_the_second_look(
    text: str, others: Sequence[Piece], understood: str, asked: int, autojump_clock: trio.testing.MockClock
) -> None:
    ear = DoubtfulEar(text, *others)
    answer = RIGHT if understood == "Spell ox" else UNKNOWN
    assert await heard(ear) == (understood, answer)
    assert asked <= len(ear.asked) <= asked + 1  # the next may have begun


async def test_a_model_that_does_not_judge_is_told_the_first(autojump_clock: trio.testing.MockClock) -> None:
    ear = DoubtfulEar("Grey weather", "Spell ox")
    async with fake_call(conversation(settings(Mind("I see."), ear=ear, mouth=Mouth()))) as call:
        await call.caller_speaks(speech(1) + silence(4))
        assert last_said(call, "user") == "Grey weather"
    assert not ear.asked
