"""The call: what an agent is given."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import msgspec
import trio

from glottis.contracts.audio import AudioFrame, EncodedPacket
from glottis.contracts.events import CallEvent
from glottis.contracts.info import CallInfo


@dataclass(frozen=True, slots=True)
class TextMessage:
    """Text from the caller. ``channel`` is the data channel's label, None for the signaling WebSocket."""

    text: str
    channel: str | None = None


@dataclass(frozen=True, slots=True)
class TypedMessage:
    """A JSON object with a string ``type`` from the caller; ``text`` is the message as it came."""

    type: str
    data: Mapping[str, Any]
    text: str
    channel: str | None = None


@dataclass(frozen=True, slots=True)
class BytesMessage:
    """A binary message from the caller on the data channel ``channel``."""

    data: bytes
    channel: str


Message = TextMessage | TypedMessage | BytesMessage


class KeyPress(ABC):
    """A key of the caller's telephone, told when it goes down: an agent can stop speaking at once.

    Each press is told once, however many packets tell of it, and however many of these are lost.
    """

    digit: str
    """One of ``0123456789*#ABCD``."""
    duration: float | None
    """Seconds that it was down, in the caller's own words; None while it is."""

    @abstractmethod
    async def released(self) -> float:
        """Wait until the key is up, and return ``duration``: for menus that tell long presses from short ones."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What the listener had really been sent of the current speech when ``flush`` stopped it, in seconds.

    ``sent`` was sent since the speech began (the queue last ran empty). ``dropped`` will not be sent: what was queued,
    and what was given to ``say`` and still waited for room or for its turn.
    """

    sent: float
    dropped: float


class Call(ABC):
    """One conversation. It ends when the agent returns or raises; the agent is cancelled when the caller hangs up.

    A stream opens when it is first iterated, not before, and is read by one task at a time. All streams are bounded:
    what an agent does not read in time is dropped, the oldest first.

    What an agent hands over is checked at once: ``ValueError`` names the rule that it breaks.
    """

    sample_rate: int
    """Of ``audio`` and of the frames given to ``say``, in hertz; chosen by ``AgentSpec.sample_rate``."""
    nursery: trio.Nursery
    """For the agent's background tasks; they end with the call."""

    @property
    @abstractmethod
    def info(self) -> CallInfo:
        """Who calls, and what was asked for. Metadata that the caller adds makes it a new value."""

    @property
    @abstractmethod
    def audio(self) -> AsyncIterator[AudioFrame]:
        """The caller's voice: frames of 20 ms at ``sample_rate``, lost packets concealed.

        Decoding starts when it is iterated, with what is heard then.
        """

    @property
    @abstractmethod
    def packets(self) -> AsyncIterator[EncodedPacket]:
        """The caller's voice as encoded packets in order, after the jitter buffer; beside ``audio`` or alone."""

    @property
    @abstractmethod
    def messages(self) -> AsyncIterator[Message]:
        """Text, typed and binary messages from the caller."""

    @property
    @abstractmethod
    def dtmf(self) -> AsyncIterator[KeyPress]:
        """The keys that the caller presses (telephone events, RFC 4733), from the beginning of the call on."""

    @property
    @abstractmethod
    def events(self) -> AsyncIterator[CallEvent]:
        """State changes of the call, such as ``interrupted`` and ``resumed``; docs/client.md lists them."""

    @abstractmethod
    async def say(self, audio: AudioFrame | EncodedPacket) -> None:
        """Queue audio of any length; waits while more than the configured time (200 ms by default) is queued.

        Each call is one utterance: who speaks while another task does waits until that utterance is queued whole, in
        the order of the calls. Returns early if the speech is flushed meanwhile. Cancelled, it leaves queued what is.

        A packet must be of the negotiated codec (``packets`` yields such). Raises ``ValueError`` for another sample
        rate or codec, and for what is no whole number of samples.
        """

    @abstractmethod
    def say_nowait(self, audio: AudioFrame | EncodedPacket) -> None:
        """The same as ``say``, for code that cannot wait: all of ``audio`` is queued, or nothing.

        Raises ``trio.WouldBlock`` while another utterance is being said, and where ``audio`` would make more wait than
        the configured time and a frame; and ``ValueError`` as ``say`` does.
        """

    @abstractmethod
    def forward(self, to: "Call", *, encoded: bool = False) -> AbstractContextManager[None]:
        """Within this block what the caller says goes straight to the listener of ``to``, which may be this call.

        No task has to wake for it: each frame, or packet where ``encoded``, is given to ``to.say_nowait`` as it is due,
        beside ``audio`` and ``packets``. What that has no room for is dropped and counted, so nothing is ever delayed
        for long; while an agent speaks to that listener, the agent is heard. Raises ``ValueError`` for calls of
        different sample rates, and within the block for packets of another codec than ``to`` sends.
        """

    @abstractmethod
    def flush(self) -> Heard:
        """Stop speaking within one frame (barge-in), and say how much was really sent.

        May be called from any task. What is queued is dropped, and so is the rest of every ``say`` that is under way in
        whatever task, be it speaking or waiting for its turn: they return. What is said afterwards is sent.
        """

    @abstractmethod
    async def drain(self) -> None:
        """Wait until everything that was said before has been sent; what other tasks say meanwhile waits."""

    @abstractmethod
    async def send_dtmf(self, digits: str, *, duration: float = 0.1, gap: float = 0.06) -> None:
        """Press keys for the listener, as one utterance: after what was said before, each ``duration`` seconds long.

        After each there is a silence of ``gap`` seconds. Returns when the last is queued, as ``say`` does; ``flush``
        drops those that were not sent, and lets go of the one that is down. Raises ``ValueError`` for other characters
        than ``0123456789*#ABCD``, more than 64 of them, a ``duration`` outside 0.04–6 or a ``gap`` outside 0.03–6; and
        ``LocalError`` where the peer takes no telephone events.
        """

    @abstractmethod
    async def send_text(self, text: str, channel: str | None = None) -> None:
        """Send text on the data channel of this label, else on the default channel, else on the WebSocket.

        Raises ``MessageTooLong`` for a longer one than the client takes.
        """

    @abstractmethod
    async def send_bytes(self, data: bytes, channel: str | None = None) -> None:
        """Send a binary message, any buffer, on a data channel. Raises ``LocalError`` when there is none."""

    @abstractmethod
    async def send_event(self, name: str, data: Mapping[str, Any]) -> None:
        """Send an ``event`` message by the same way as text. Raises ``LocalError`` if ``data`` is not JSON."""

    @abstractmethod
    def hang_up(self, reason: str = "agent hung up") -> None:
        """End the call; the agent is cancelled at its next checkpoint."""


Agent = Callable[[Call], Awaitable[None]]
"""An agent is one async function of a call."""


@dataclass(frozen=True, slots=True)
class AgentSpec:
    """An agent as ``register_agents`` returns it; a campaign enables it by ``name``.

    ``create`` is called once per campaign at start-up with an instance of ``config_type`` (None: the agent takes no
    settings) and returns the agent.
    """

    name: str
    create: Callable[[Any], Agent]
    config_type: type[msgspec.Struct] | None = None
    sample_rate: int = 16000
