"""The parts of a conversation: what each of them must do. Whoever imports these may bring one.

All are made anew for each call, and their streams are async generators: to stop one is to close it. What a part raises,
or gives that is no such thing, is its failure: the next in line takes over, and the call goes on.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

from glottis import AudioFrame, Call


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was understood. A partial one stands for all since the last final one, and may change."""

    text: str
    is_final: bool = True
    again: "Callable[[], AsyncIterator[str]] | None" = None
    """What else it may have been, the likeliest first: for who makes no sense of ``text``. Only of final ones.

    To look for it may take time, so it is asked for only in doubt, at once or never, and stopped when something fits.
    """


class SpeechToText(Protocol):
    """Understands speech, one turn of the caller at a time."""

    def transcribe(self, audio: AsyncIterator[AudioFrame]) -> AsyncIterator[Transcript]:
        """What is said in ``audio``, whose frames come while the caller speaks, until the turn has ended.

        Partial transcripts may come meanwhile. The final ones add up to the whole; none at all says that nothing was
        said.
        """


class TurnDetector(Protocol):
    """Tells whether a caller who has fallen silent wants to go on."""

    def patience(self, said: str) -> float:
        """Seconds to wait on for more, after silence has ended a turn in which this was said; 0 to answer at once."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """What a model wants done before it goes on; ``arguments`` are JSON."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    id: str = ""
    """Of the model's own, for who tells its results apart."""


@dataclass(frozen=True, slots=True)
class Message:
    """One entry of a history. Of what the assistant said, ``text`` has only what the caller has heard."""

    role: Literal["system", "user", "assistant", "tool"]
    text: str
    tool_calls: tuple[ToolCall, ...] = ()
    """What an ``assistant`` wanted done."""
    tool_call_id: str = ""
    """Of a ``tool``'s result: the call that it answers."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that a model may call. ``parameters`` is the JSON Schema of its arguments."""

    name: str
    description: str
    parameters: Mapping[str, Any]
    run: Callable[[Mapping[str, Any]], Awaitable[str]]
    """Gets arguments as the model gave them. Raises ``ValueError`` for wrong ones: the model is told."""
    hear: "Callable[[str], Request | None] | None" = None
    """Whether a caller who says this wants it, for models that go by rules. None: no rule can tell."""
    example: str = ""
    """What a caller may say to get it, for who asks for help."""
    sayings: Sequence[str] = ()
    """What callers say who want it, for who tells a misheard sentence by how it sounds: "spell {word}"."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a caller wants of a tool, as far as a rule can tell."""

    arguments: Mapping[str, Any] = field(default_factory=dict)
    certainty: float = 1.0
    """Up to 1. Of several tools the most certain one is run."""
    before: str = ""
    """Said before it is run."""


class LanguageModel(Protocol):
    """Finds the answer."""

    def reply(self, history: Sequence[Message], tools: Sequence[Tool]) -> AsyncIterator[str | ToolCall]:
        """What to say after the last message, in pieces of text of any length as they are found.

        A ``ToolCall`` asks for a tool: it is run after the end of the stream, and the model is asked again, with what
        it has said, its calls and their results at the end of the history.
        """


@runtime_checkable
class Judging(Protocol):
    """A ``LanguageModel`` that can tell whether it makes sense of what was said."""

    async def certainty(self, said: str, tools: Sequence[Tool]) -> float:
        """From 0, for what it knows no answer to, to 1."""


@runtime_checkable
class Choosing(Protocol):
    """A ``LanguageModel`` that can be made to call tools: ``must_call`` is set before each reply."""

    must_call: str | None
    """The name of a tool, or empty for any one. None: it chooses for itself."""


class TextToSpeech(Protocol):
    """Speaks."""

    def synthesize(self, text: str) -> AsyncIterator[AudioFrame]:
        """A sentence, or a part of a long one, as frames of any length and of one sample rate, as they are made."""


@runtime_checkable
class Paced(Protocol):
    """A ``TextToSpeech`` that can speak slower and faster: ``pace`` is set before each sentence."""

    pace: float
    """1 is as its settings say, 2 twice as fast."""


ToolFunction = Callable[..., Awaitable[object]]
"""An async function with typed parameters and a docstring; what it returns is told to the model as text."""


class Toolbox(Protocol):
    """Brings tools."""

    def functions(self, call: Call) -> Sequence[ToolFunction]:
        """The tools of this call."""


@dataclass(slots=True)
class Manner:
    """How the agent speaks in a call."""

    pace: float = 1.0
    """1 is as the voice does by itself, 2 twice as fast; only a ``Paced`` voice can."""
    gain_db: float = 0.0


class Floor(Protocol):
    """What a skill may do to the conversation that it takes part in, beside answering."""

    @property
    def call(self) -> Call:
        """The call."""

    @property
    def manner(self) -> Manner:
        """How the agent speaks from its next sentence on."""

    @property
    def history(self) -> Sequence[Message]:
        """What was said so far."""

    @property
    def tools(self) -> Sequence[Tool]:
        """All of this conversation."""

    def speak_up(self, text: str) -> None:
        """Say it as soon as the agent has finished what it says now; a caller who speaks is given two seconds."""

    def start_soon(self, task: Callable[..., Awaitable[object]], *args: Any) -> None:
        """Run a task until the call ends. As long as one runs, nobody is asked whether they are still there."""

    async def hang_up(self) -> None:
        """End the call, after what is said now was heard."""


class Skill(Protocol):
    """One thing that an assistant can do: tools that a model may call, and that rules can tell are wanted."""

    def tools(self, floor: Floor) -> Sequence[Tool]:
        """Those of the call of this floor, for which the skill was made."""
