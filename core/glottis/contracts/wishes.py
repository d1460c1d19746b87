"""What a client wishes of the agent that it calls, whatever protocol it came by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

WISHES: Final = "wishes"
"""The member of the metadata that has them, at first and whenever they change, and the event by which agents answer."""
MAX_FUNCTIONS: Final = 64


@dataclass(frozen=True, slots=True)
class ClientFunction:
    """A function that runs at the client. ``parameters`` is the JSON Schema of its arguments."""

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wishes:
    """How it is to behave, and what it may call. An agent owes nothing to them, and clients are strangers as a rule.

    What it goes by it says: ``await call.send_event("wishes", {"honoured": ["functions"]})``.
    """

    instructions: str = ""
    functions: Sequence[ClientFunction] = ()
    """To call one: ``call.send_event("function_call", {"callId", "name", "arguments"})``. What comes of it is a typed
    message ``function_call_output`` with ``callId`` and ``output``."""
    answers: bool = True
    """Whether what is said is answered at once. Else a typed message ``respond`` says when."""
    interruptions: bool = True
    """Whether who speaks interrupts."""
    detection: bool = True
    """Whether the agent finds out when the caller speaks. Else the client says it: by the typed message
    ``input_commit`` that what was heard by now is ``item``, by ``input_clear`` that it was nothing. A transcript names
    its ``item``."""

    eagerness: Literal["", "low", "medium", "high"] = ""
    """How soon who has fallen silent is taken to want an answer, where the agent detects it. Empty: as it does by
    itself."""
    speaks: bool = True
    """Whether answers are spoken. Else they are written."""
    texts: bool = True
    """Whether what is written goes as texts. Else it is told by transcripts alone, which are ``written``."""
    voice: str = ""
    """The name of one. Empty: any."""
    pace: float = 1.0
    """2 is twice as fast."""
    choice: str = "auto"
    """Which functions are called in the first step of an answer: ``none``, at least one as ``required``, or the agent
    chooses."""
    chosen: str = ""
    """The name of the function that is called there."""
    max_tokens: int | None = None
    """Of an answer."""

    @classmethod
    def of(cls, metadata: Mapping[str, Any]) -> "Wishes":
        """Those in ``call.info.metadata``. What cannot be used is not wished."""
        wished = metadata.get(WISHES)
        if not isinstance(wished, Mapping):
            return cls()
        instructions, functions = wished.get("instructions"), wished.get("functions")
        found = [_function(one) for one in functions[:MAX_FUNCTIONS]] if isinstance(functions, list | tuple) else []
        return cls(
            instructions if isinstance(instructions, str) else "",
            tuple(one for one in found if one is not None),
            wished.get("answers") is not False,
            wished.get("interruptions") is not False,
            wished.get("detection") is not False,
            speaks=wished.get("speaks") is not False,
            texts=wished.get("texts") is not False,
            **_details(wished),
        )


def _details(wished: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    match wished:
        case {"voice": str(voice)}:
            found["voice"] = voice
    match wished:
        case {"eagerness": "low" | "medium" | "high" as eagerness}:
            found["eagerness"] = eagerness
    match wished:
        case {"pace": float() | int() as pace} if 0.25 <= pace <= 4:
            found["pace"] = float(pace)
    match wished:
        case {"choice": "none" | "required" as choice}:
            found["choice"] = choice
        case {"choice": {"name": str(name)}}:
            found["chosen"] = name
    match wished:
        case {"maxTokens": int(tokens)} if tokens > 0 and tokens is not True:
            found["max_tokens"] = tokens
    return found


def _function(wished: object) -> ClientFunction | None:
    match wished:
        case {"name": str(name), **others} if 0 < len(name) <= 64 and name.isascii() and name.isprintable():
            description, parameters = others.get("description"), others.get("parameters")
            return ClientFunction(
                name,
                description if isinstance(description, str) else "",
                parameters if isinstance(parameters, Mapping) else {"type": "object", "properties": {}},
            )
    return None
