"""The chunks of a streamed answer, in the dialects of OpenAI, llama.cpp, vLLM, Ollama and LocalAI."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
from glottis import Malformed
from glottis_conversation import ToolCall
from glottis_services.errors import code_in

MAX_CALLS: Final = 64
MAX_ARGUMENTS: Final = 100_000
"""Characters of a call's arguments."""


class Function(msgspec.Struct):
    """A piece of a call: the name comes whole, as a rule, the arguments bit by bit."""

    name: str | None = None
    arguments: str | dict[str, Any] | None = None
    """Some have them as JSON already."""


class Call(msgspec.Struct):
    """A piece of a call."""

    index: int | None = None
    id: str | None = None
    function: Function | None = None


class Part(msgspec.Struct):
    """Of a content that is a list."""

    text: str | None = None


class Delta(msgspec.Struct):
    """What a chunk adds. Names that are not here, such as ``reasoning_content``, are not to be spoken."""

    content: str | list[Part] | None = None
    refusal: str | None = None
    tool_calls: list[Call] | None = None


class Choice(msgspec.Struct):
    """The only one: no more are asked for."""

    delta: Delta | None = None
    message: Delta | None = None
    """In an answer that is not streamed."""


class Chunk(msgspec.Struct):
    """One with nothing but ``usage`` has no choices."""

    choices: list[Choice] | None = None
    error: msgspec.Raw = msgspec.Raw(b"")


def read_chunk_untrusted(document: bytes) -> Delta:
    """What it adds. Raises ``Malformed`` for what is no chunk, and for one that tells of an error."""
    try:
        chunk = msgspec.json.decode(document, type=Chunk)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        raise Malformed("it answers what is no chunk of a completion") from None
    if bytes(chunk.error) not in (b"", b"null"):
        code = code_in(document)
        raise Malformed(f"it has failed in the middle of its answer{' with ' if code else ''}{code}")
    choice = chunk.choices[0] if chunk.choices else Choice()
    return choice.delta or choice.message or Delta()


def pieces_of(delta: Delta) -> Iterator[str]:
    """Its text."""
    content = delta.content if isinstance(delta.content, list) else [Part(delta.content), Part(delta.refusal)]
    yield from (part.text for part in content if part.text)


class ToolCalls:
    """Puts calls together. Those without an id get one that is no other's in a history of this length."""

    def __init__(self, history_length: int) -> None:
        self._history_length = history_length
        self._calls: list[_Assembly] = []

    def add_untrusted(self, pieces: Sequence[Call]) -> None:
        """Some more. Raises ``Malformed`` where there is no end to it."""
        for piece in pieces:
            call = self._call_of_untrusted(piece)
            call.id = call.id or piece.id or ""
            function = piece.function or Function()
            call.name = call.name or function.name or ""
            if isinstance(function.arguments, Mapping):
                call.arguments = msgspec.json.encode(function.arguments).decode()
            else:
                call.arguments += function.arguments or ""
            if len(call.arguments) > MAX_ARGUMENTS:
                raise Malformed("the arguments of a call do not end")

    def complete_untrusted(self) -> list[ToolCall]:
        """All of them. Raises ``Malformed`` for arguments that are no JSON object, and for no name."""
        return [self._complete_untrusted(call, number) for number, call in enumerate(self._calls)]

    def _call_of_untrusted(self, piece: Call) -> "_Assembly":
        """Ollama has numbered all calls 0, others do not number them: then a new id, or else a name, begins one."""
        last = next((call for call in reversed(self._calls) if piece.index in (None, call.index)), None)
        has_new_id = bool(last and piece.id and last.id and piece.id != last.id)
        has_new_name = bool(
            last and piece.index is None and not piece.id and last.name and piece.function and piece.function.name
        )
        if last is None or has_new_id or has_new_name:
            if len(self._calls) >= MAX_CALLS:
                raise Malformed("it calls too many tools")
            last = _Assembly(piece.index)
            self._calls.append(last)
        return last

    def _complete_untrusted(self, call: "_Assembly", number: int) -> ToolCall:
        try:
            arguments = msgspec.json.decode(call.arguments or "{}", type=dict[str, Any])
        except (msgspec.MsgspecError, RecursionError, UnicodeError):
            raise Malformed("the arguments of a call are no JSON object") from None
        if not call.name:
            raise Malformed("it calls a tool without a name")
        return ToolCall(call.name, arguments, call.id or f"call_{self._history_length}_{number}")


class _Assembly:
    def __init__(self, index: int | None) -> None:
        self.index = index
        self.id = self.name = self.arguments = ""
