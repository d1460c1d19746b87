"""Whether requests are understood and rightly answered. On virtual time: it takes no longer than the models do."""

import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar
from unittest.mock import patch

import trio
import trio.testing
from glottis.config.components import typed_settings
from glottis.plugins import load_plugins
from glottis.testing.fake_call import FakeCall, fake_call
from glottis_conversation import ConversationConfig, conversation
from glottis_local_speech.pool import Pool

from benchmarks.conversation.network import Line
from benchmarks.conversation.requests import ANSWERS, Request
from benchmarks.conversation.voices import RATE

R = TypeVar("R")
PAUSE: Final = bytes(2 * RATE)
"""A second of silence."""
MAX_SECONDS: Final = 60
SETTLING_SECONDS: Final = 3
"""Of silence first, in which the caller's end learns of the loss: a greeting takes as long."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one request."""

    request: Request
    understood: str
    answer: str

    @property
    def is_right(self) -> bool:
        """Whether the answer has what it should."""
        return re.search(self.request.expected, self.answer, re.DOTALL) is not None


def settings_of(folder: Path, **others: Any) -> ConversationConfig:
    """Of an assistant that runs here and knows a bakery."""
    (folder / "bakery.md").write_text(ANSWERS)
    registry = load_plugins()
    found = registry.agents.find("assistant")
    skills = ["repeat", "voice", "goodbye", "message", "timers", "arithmetic", "units", "spelling", "clock"]
    given = {
        "vad": "silero",
        "stt": "moonshine",
        "tts": "hibari",
        "skills": [{"name": "answers", "file": str(folder / "bakery.md")}, *skills, "courtesy", "help"],
        "greeting": "",
        "idle_prompts": [],
        **others,
    }
    config = typed_settings(registry, found, given, "settings")
    assert isinstance(config, ConversationConfig)
    return config


def outcomes_of(calls: Sequence[Sequence[tuple[Request, bytes]]], loss: float, seed: int) -> Iterator[Outcome]:
    """Call by call."""
    with tempfile.TemporaryDirectory() as folder, without_threads():
        config = settings_of(Path(folder))
        for number, call in enumerate(calls):
            clock = trio.testing.MockClock(autojump_threshold=0)
            yield from trio.run(_converse, config, call, loss, seed + 100 * number, clock=clock)


async def _converse(
    config: ConversationConfig, requests: Sequence[tuple[Request, bytes]], loss: float, seed: int
) -> list[Outcome]:
    outcomes: list[Outcome] = []
    line = Line(loss, seed)
    async with fake_call(conversation(config)) as call:
        for _ in range(SETTLING_SECONDS):
            await call.caller_speaks(line.carry(PAUSE))
        for request, pcm in requests:
            before = len(call.sent_events)
            await call.caller_speaks(line.carry(pcm))
            await _silence_of(call, line, before)
            said = [data for name, data in call.sent_events[before:] if name == "transcript" and data["final"]]
            texts = {
                role: " ".join(each["text"] for each in said if each["role"] == role) for role in ("user", "agent")
            }
            outcomes.append(Outcome(request, texts["user"], texts["agent"]))
    return outcomes


async def _silence_of(call: FakeCall, line: Line, before: int) -> None:
    """Until the agent has answered, and has nothing more to say; who is not heard at all gets no answer."""
    for second in range(MAX_SECONDS):
        if call.ended.is_set():
            return
        await call.caller_speaks(line.carry(PAUSE))
        states = [data["state"] for name, data in call.sent_events[before:] if name == "agent_state"]
        if (states and states[-1] == "listening" and not call.is_speaking) or (not states and second > 3):
            return


@contextmanager
def without_threads() -> Iterator[None]:
    """Models compute on the spot, while the clock stands."""

    async def run(self: Pool[Any], use: Callable[[Any], R]) -> R:
        await trio.lowlevel.checkpoint()
        return self._lend(use)

    with patch.object(Pool, "run", run):
        yield
