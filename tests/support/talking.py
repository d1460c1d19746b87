"""Parts of a conversation that do what a test says."""

from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Any

import trio
from glottis import AudioFrame, Component
from glottis_conversation import ConversationConfig, Message, Tool, ToolCall, Transcript, WordsConfig, WordsDetector

RATE = 16000
LOUD = b"\x10\x27"
SECONDS_PER_CHARACTER = 0.05


def speech(seconds: float) -> bytes:
    return LOUD * round(seconds * RATE)


def silence(seconds: float) -> bytes:
    return bytes(2) * round(seconds * RATE)


class Loudness:
    """What is not silent is speech."""

    def detect(self, frame: AudioFrame) -> bool:
        return any(frame.pcm)


class Ear:
    """Understands the next text of its list after each turn, whatever is said."""

    def __init__(self, texts: Iterable[str | Exception], delay: float = 0.1) -> None:
        self.texts = deque(texts)
        self.delay = delay
        self.heard_seconds: list[float] = []

    async def transcribe(self, audio: AsyncIterator[AudioFrame]) -> AsyncIterator[Transcript]:
        seconds = 0.0
        async for frame in audio:
            seconds += frame.duration
        self.heard_seconds.append(seconds)
        await trio.sleep(self.delay)
        text = self.texts.popleft() if self.texts else ""
        if isinstance(text, Exception):
            raise text
        if text:
            yield Transcript(text.partition(" ")[0], is_final=False)
            yield Transcript(text)


Answer = Sequence[str | ToolCall | Exception | float] | str
"""What a model gives, one after the other; a number waits so many seconds."""


class Mind:
    """Answers by its list, and then with the last of it."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = deque(answers)
        self.histories: list[list[Message]] = []
        self.tools: Sequence[Tool] = ()

    async def reply(self, history: Sequence[Message], tools: Sequence[Tool]) -> AsyncIterator[str | ToolCall]:
        self.histories.append(list(history))
        self.tools = tools
        answer = self.answers.popleft() if len(self.answers) > 1 else self.answers[0]
        for piece in [answer] if isinstance(answer, str) else answer:
            if isinstance(piece, Exception):
                raise piece
            if isinstance(piece, float):
                await trio.sleep(piece)
            else:
                yield piece


class Mouth:
    """Takes 50 ms for each character, at its own rate."""

    def __init__(
        self, *, rate: int = RATE, delay: float = 0.05, failing: Callable[[str], bool] = lambda _: False
    ) -> None:
        self.rate = rate
        self.delay = delay
        self.failing = failing
        self.texts: list[str] = []

    async def synthesize(self, text: str) -> AsyncIterator[AudioFrame]:
        await trio.sleep(self.delay)
        if self.failing(text):
            raise OSError("no voice")
        self.texts.append(text)
        for _ in text:
            yield AudioFrame(LOUD * round(SECONDS_PER_CHARACTER * self.rate), self.rate)


def component(name: str, part: Any) -> Component[Any]:
    """Always the same one, so that a test can look at it."""
    return Component(name, lambda: part)


class Plain:
    """Resamples by leaving samples out, or repeating them."""

    def create_resampler(self, from_rate: int, to_rate: int) -> "PlainResampler":
        return PlainResampler(from_rate, to_rate)


class PlainResampler:
    def __init__(self, from_rate: int, to_rate: int) -> None:
        self.ratio = from_rate / to_rate

    def resample(self, pcm: bytes) -> bytes:
        count = round(len(pcm) / 2 / self.ratio)
        return b"".join(pcm[2 * int(at * self.ratio) :][:2] for at in range(count))


def settings(mind: Any, *, ear: Any = None, mouth: Any = None, **others: Any) -> ConversationConfig:
    """Of a conversation with these parts."""
    parts: dict[str, Any] = {
        "llm": component("mind", mind),
        "stt": component("ear", ear) if ear is not None else None,
        "tts": component("mouth", mouth) if mouth is not None else None,
        "vad": component("loudness", Loudness()),
        "resampling": component("plain", Plain()),
        "turn_detector": component("words", WordsDetector(WordsConfig())),
        "filler": "",
        "idle_prompts": (),
        "interrupt_ms": 240,
    }
    return ConversationConfig(**{**parts, **others})
