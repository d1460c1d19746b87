"""What a model answers becomes sentences to be spoken, and the tools that it calls are run."""

import logging
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import trio

from glottis_conversation.chain import Chain, Enough, NoneWorks, Patience
from glottis_conversation.doubt import Again, clearest
from glottis_conversation.history import Added, History
from glottis_conversation.kinds import Choosing, Judging, LanguageModel, Message, Tool, ToolCall
from glottis_conversation.sentences import SentenceCutter, spoken_text
from glottis_conversation.speech import Speech

MAX_ROUNDS: Final = 8
"""In which a model calls tools before it must have answered."""
MAX_CALLS: Final = 16
"""Of tools in one round."""
MAX_RESULT: Final = 10_000
"""Characters of a tool's result that the model is told."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Mind:
    """What answers in a call."""

    chain: Chain[LanguageModel]
    tools: Sequence[Tool]
    patience: float
    max_characters: int
    must_call: str | None = None
    """In the first round: see ``Choosing``."""

    async def clearest(self, text: str, again: Again | None) -> str:
        """What was said, as far as the model can tell whether it makes sense."""
        model: object = self.chain.first
        if again is None or not isinstance(model, Judging):
            return text
        return await clearest(text, again, lambda said: model.certainty(said, self.tools))


@dataclass(slots=True)
class Answer:
    """One answer, in which rounds of speech and tools alternate."""

    mind: Mind
    history: History
    speech: Speech
    first_word: Callable[[], None]
    rounds: list[tuple[int, list[tuple[ToolCall, str]], Added]] = field(default_factory=list)
    """The number of sentences before tools were run, their results, and what the client has added meanwhile."""
    characters: int = 0

    async def find(self, is_over: Callable[[], bool]) -> None:
        """Say it all, until the model has no more calls of tools, or the call ``is_over``.

        Raises ``NoneWorks`` where no model has an answer.
        """
        for _ in range(MAX_ROUNDS):
            calls = await self._ask()
            if not calls:
                return
            results = [(call, await result_of(call, self.mind.tools, self.mind.patience)) for call in calls]
            self.rounds.append((len(self.speech.sentences), results, self.history.next_step(results)))
            if is_over():
                return
        raise NoneWorks("model")

    def remember(self, item: str) -> bool:
        """What the caller has heard of it goes into the history; returns whether it ``is_cut``."""
        start = 0
        for end, results, added in self.rounds:
            self.history.add_tools(self.speech.heard(start, end), results)
            self.history.add_added(added)
            start = end
        self.history.add_assistant(self.speech.heard(start), item)
        return self.is_cut

    @property
    def is_cut(self) -> bool:
        """Whether the model had more to say than it may."""
        return self.characters >= self.mind.max_characters

    def _reply(self, model: LanguageModel) -> AsyncIterator[str | ToolCall]:
        able: object = model
        if isinstance(able, Choosing):
            able.must_call = None if self.rounds else self.mind.must_call
        return model.reply(self._messages(), self.mind.tools)

    async def _ask(self) -> list[ToolCall]:
        cutter, calls = SentenceCutter(), list[ToolCall]()
        said_before = self._sentence_count

        async def take(piece: str | ToolCall) -> None:
            self._take(piece, cutter, calls)

        await self.mind.chain.run(
            self._reply,
            take,
            Patience(self.mind.patience),
            can_repeat=False,
        )
        self._say(cutter.rest())
        if not calls and self._sentence_count == said_before:
            raise NoneWorks("model")
        return calls

    @property
    def _sentence_count(self) -> int:
        return sum(not each.is_aside for each in self.speech.sentences)

    def _take(self, piece: str | ToolCall, cutter: SentenceCutter, calls: list[ToolCall]) -> None:
        if isinstance(piece, ToolCall):
            calls.append(piece)
            if len(calls) >= MAX_CALLS:
                raise Enough
        elif isinstance(piece, str):
            self.characters += len(piece)
            self._say(cutter.add(piece[: self.mind.max_characters]))
            if self.is_cut:
                raise Enough
        else:
            raise ValueError(f"expected text or a ToolCall, got {type(piece).__name__}")

    def _say(self, sentences: Sequence[str]) -> None:
        for sentence in sentences:
            if spoken := spoken_text(sentence):
                self.first_word()
                self.speech.say(spoken)

    def _messages(self) -> list[Message]:
        """The history, with what was said and done in this answer so far."""
        messages, start = self.history.messages, 0
        for end, results, added in self.rounds:
            said = " ".join(each.text for each in self.speech.sentences[start:end] if not each.is_aside)
            if said or results:  # what a client's function gives late has its place behind
                messages.append(Message("assistant", said, tuple(call for call, _ in results)))
            messages += [Message("tool", result, tool_call_id=call.id) for call, result in results]
            messages += [entry.message for entry, _ in added if entry.message.text]
            start = end
        return messages


async def result_of(call: ToolCall, tools: Sequence[Tool], patience: float) -> str:
    """A tool's result, or what is wrong, for the model."""
    tool = next((tool for tool in tools if tool.name == call.name), None)
    if tool is None:
        return f"error: there is no tool {call.name}"
    try:
        with trio.fail_after(patience):
            return (await tool.run(call.arguments))[:MAX_RESULT]
    except ValueError as error:
        return f"error: {error}"
    except Exception as error:
        _logger.warning("the tool %s has failed: %s", tool.name, type(error).__name__)
        _logger.debug("how it has failed", exc_info=error)
        return "error: it does not work now"
