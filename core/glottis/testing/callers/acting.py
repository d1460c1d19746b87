"""Follows a script: each step on the engines of a caller, and the wait for what is expected."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Final

import trio

from glottis.audio import joined
from glottis.calls.dtmf import tones_of
from glottis.contracts.audio import AudioFrame
from glottis.testing.callers.agents import Recogniser
from glottis.testing.callers.line import AgentEnd, CallerEnd
from glottis.testing.callers.steps import Done, Step
from glottis.testing.callers.words import word_error_rate

WORDS_PAUSE: Final = 0.7
"""Seconds of silence after which the agent has said what it had to say."""


class Unmet(Exception):
    """What was expected has not come about; the message says what has."""


class Actor:
    """Acts for one caller. ``patience`` is how long it waits for anything, in seconds."""

    def __init__(
        self, caller: CallerEnd, agent: AgentEnd, sounds: Callable[[str], AudioFrame], patience: float
    ) -> None:
        self.make_recogniser: Callable[[], Recogniser] | None = None
        self.done: list[Done] = []
        self._caller, self._agent = caller, agent
        self._sounds = sounds
        self._patience = patience
        self._texts_seen = self._digits_seen = 0
        self._came = ""
        self._word_error_rate: float | None = None

    async def perform(self, steps: Sequence[Step], began_at: float) -> None:
        """All of them, until one fails."""
        for step in steps:
            start = trio.current_time()
            self._came, self._word_error_rate, problem = "", None, ""
            try:
                await self._actions[step.action](self, step)
            except Unmet as unmet:
                problem = str(unmet)
            self.done.append(
                Done(
                    step=str(step),
                    start_s=round(start - began_at, 3),
                    end_s=round(trio.current_time() - began_at, 3),
                    problem=problem,
                    came=self._came,
                    word_error_rate=self._word_error_rate,
                )
            )
            if problem:
                return

    async def _until(self, condition: Callable[[], object], seconds: float, missing: Callable[[], str]) -> None:
        deadline = trio.current_time() + seconds
        while not condition():
            if self._agent.over.is_set():
                raise Unmet(f"{self._agent.ended}, before that")
            if trio.current_time() >= deadline:
                raise Unmet(f"{missing()} within {seconds:g} s")
            with trio.move_on_at(deadline):
                await self._caller.ticked.wait()

    async def _for(self, seconds: float) -> None:
        """A while, in which the agent is not to end the call."""
        end = trio.current_time() + seconds
        while trio.current_time() < end:
            if self._agent.over.is_set():
                raise Unmet(f"{self._agent.ended} meanwhile")
            with trio.move_on_at(end):
                await self._agent.over.wait()

    def _limit(self, step: Step) -> float:
        return self._patience if step.within_s is None else step.within_s

    # What it does

    async def _say(self, step: Step) -> None:
        assert step.say is not None
        await self._speak(step.say, step.goes_on)

    async def _speak(self, what: str | AudioFrame, goes_on: bool) -> None:
        sound = self._sounds(what) if isinstance(what, str) else what
        self._caller.say(sound.pcm)
        if not goes_on:
            await self._until(lambda: not self._caller.is_speaking, sound.duration + self._patience, lambda: "unsaid")

    async def _interrupt(self, step: Step) -> None:
        assert step.interrupt is not None
        await self._until(
            lambda: self._has_spoken_for(step.after_s), self._limit(step), lambda: "the agent has not spoken so long"
        )
        await self._speak(step.interrupt, step.goes_on)

    def _has_spoken_for(self, seconds: float) -> bool:
        spells = self._caller.listened.all
        is_on = bool(spells) and self._caller.moment - spells[-1].end < 0.1
        return is_on and self._caller.moment - spells[-1].start >= seconds

    async def _wait(self, step: Step) -> None:
        await self._for(step.wait_s or 0.0)

    async def _press(self, step: Step) -> None:
        tones = tones_of(step.press or "")
        self._caller.press(tones)
        await self._for(sum(tone.duration + tone.gap for tone in tones))

    async def _write(self, step: Step) -> None:
        self._caller.write(step.write or "")
        self._agent.changed.wake()
        await trio.lowlevel.checkpoint()

    # What it expects

    async def _expect_sound(self, step: Step) -> None:
        asked = self._caller.said.last_end
        listened = self._caller.listened
        if step.expect_sound:
            await self._until(
                lambda: listened.last_end > asked, self._limit(step), lambda: "nothing was heard of the agent"
            )
            return
        begin = trio.current_time()
        await self._for(self._limit(step))
        if listened.last_end > begin:
            raise Unmet("the agent was heard")

    async def _expect_silence(self, step: Step) -> None:
        await self._until(
            self._silence(step.expect_silence_s or 0.0), self._limit(step), lambda: "the agent was not silent so long"
        )

    def _silence(self, seconds: float) -> Callable[[], bool]:
        begin = trio.current_time()
        return lambda: self._caller.moment - max(begin, self._caller.listened.last_end) >= seconds

    async def _expect_words(self, step: Step) -> None:
        expected = step.expect_words or ""
        asked = self._caller.said.last_end
        listened = self._caller.listened
        await self._until(
            lambda: listened.last_end > asked, self._limit(step), lambda: "nothing was heard of the agent"
        )
        await self._until(self._silence(WORDS_PAUSE), self._patience, lambda: "the agent went on speaking")
        self._came = await self._understand([frame for at, frame in self._caller.recording if at >= asked])
        self._word_error_rate = round(word_error_rate(expected, self._came), 3)
        if self._word_error_rate > step.word_errors:
            raise Unmet(f"understood {self._came!r}: a word error rate of {self._word_error_rate:g}")

    async def _understand(self, frames: Sequence[AudioFrame]) -> str:
        assert self.make_recogniser is not None, "checked before"

        async def audio() -> AsyncIterator[AudioFrame]:
            yield joined(frames)

        found = [each.text async for each in self.make_recogniser().transcribe(audio()) if each.is_final]
        return " ".join(found)

    async def _expect_text(self, step: Step) -> None:
        pattern, texts = re.compile(step.expect_text or ""), self._caller.texts

        def found() -> bool:
            for number, text in enumerate(texts[self._texts_seen :], self._texts_seen + 1):
                if pattern.search(text):
                    self._texts_seen, self._came = number, text
                    return True
            return False

        await self._until(found, self._limit(step), lambda: f"no such text came, but {texts[self._texts_seen :]}")

    async def _expect_digits(self, step: Step) -> None:
        wanted, seen = (step.expect_digits or "").upper(), self._digits_seen

        def missing() -> str:
            return f"the agent has pressed {self._caller.digits[seen:]!r}"

        await self._until(lambda: self._caller.digits[seen:].startswith(wanted), self._limit(step), missing)
        self._digits_seen += len(wanted)

    async def _expect_end(self, step: Step) -> None:
        with trio.move_on_after(self._limit(step)):
            await self._agent.over.wait()
        if self._agent.over.is_set() != step.expect_end:
            raise Unmet(self._agent.ended if self._agent.over.is_set() else "the agent goes on")

    _actions: Final[dict[str, Callable[["Actor", Step], Awaitable[None]]]] = {
        "say": _say,
        "interrupt": _interrupt,
        "wait_s": _wait,
        "press": _press,
        "write": _write,
        "expect_sound": _expect_sound,
        "expect_silence_s": _expect_silence,
        "expect_words": _expect_words,
        "expect_text": _expect_text,
        "expect_digits": _expect_digits,
        "expect_end": _expect_end,
    }
