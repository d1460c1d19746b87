"""Answers beside the conversation, in writing: the history has nothing of them."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final

from glottis_conversation.chain import Enough, NoneWorks, Patience
from glottis_conversation.client import Client
from glottis_conversation.history import History
from glottis_conversation.kinds import LanguageModel, Message, ToolCall
from glottis_conversation.telling import Teller
from glottis_conversation.thinking import Mind

MAX_ASIDES: Final = 4
"""At a time."""


class Asides:
    """Of one call."""

    def __init__(self, mind: Mind, client: Client, history: History, teller: Teller) -> None:
        self._mind = mind
        self._client = client
        self._history = history
        self._teller = teller
        self._count = 0

    async def answer(self, name: str, data: Mapping[str, Any]) -> None:
        """Tell what the model says to the history, or to ``input`` in its place."""
        if self._count >= MAX_ASIDES:
            self._teller.aside(name, None)
            return
        self._count += 1
        try:
            self._teller.aside(name, await self._text(data))
        except NoneWorks:
            self._teller.aside(name, None)
        finally:
            self._count -= 1

    async def _text(self, data: Mapping[str, Any]) -> str:
        given, wishes = data.get("input"), data.get("wishes")
        of_one: Mapping[str, Any] = wishes if isinstance(wishes, Mapping) else {}
        mind = self._client.mind(self._mind, of_one)
        messages = self._messages(given) if isinstance(given, list) else self._history.told
        instructions = self._client.instructions(of_one)
        whole = [*([Message("system", instructions)] if instructions else []), *messages]
        text = ""

        def begin(model: LanguageModel) -> AsyncIterator[str | ToolCall]:
            return model.reply(whole, ())

        async def take(piece: str | ToolCall) -> None:
            nonlocal text
            if not isinstance(piece, str):
                raise ValueError("expected text, for there are no tools")
            text = (text + piece)[: mind.max_characters]
            if len(text) == mind.max_characters:
                raise Enough

        await mind.chain.run(begin, take, Patience(mind.patience), can_repeat=False)
        return text

    def _messages(self, given: Sequence[Any]) -> list[Message]:
        found = []
        for one in given:
            match one:
                case {"role": "user" | "assistant" | "system" as role, "text": str(text)}:
                    if role != "system" or self._client.may_instruct:
                        found.append(Message(role, text))
        return found
