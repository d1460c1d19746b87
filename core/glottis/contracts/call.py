"""The call: what an agent is given."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import msgspec
import trio

from glottis.contracts.audio import FRAME_MS, AudioFrame, EncodedPacket
from glottis.contracts.events import CallEvent
from glottis.contracts.info import CallInfo
from glottis.contracts.statistics import Statistics
from glottis.contracts.turns import DEFAULT_TURNS, Turn, TurnSettings, VoiceActivityDetector


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
    and what was given to ``say`` and still waited for room or for its turn. Where the listener tells how far it has
    played (CONTRACT §5), that goes for ``sent``, and what it has and drops counts as ``dropped``.
    """

    sent: float
    dropped: float


Speakable = AudioFrame | EncodedPacket | bytes
"""What can be said: ``bytes`` are samples as ``AudioFrame.pcm`` has them, at the call's ``sample_rate``."""


class Utterance(ABC):
    """What ``start_saying`` has begun. It is queued by itself: to cancel it takes nothing from others."""

    done: trio.Event
    """Set when all of it has been sent, or the rest will not be."""

    @property
    @abstractmethod
    def heard(self) -> Heard:
        """What of it has been sent by now, and what will not be: nothing, unless it was cancelled or flushed.

        Once all of it was sent, all of it counts as heard.
        """

    @abstractmethod
    def cancel(self) -> Heard:
        """Stop it within one frame (barge-in), and say how much was really sent; what others say goes on.

        What was to be said is dropped, an iterator is cancelled where it waits. Does nothing once it is done.
        """


@dataclass(frozen=True, slots=True)
class Dropped:
    """How much of each stream of a call was dropped, since the agent was too slow for it; 0 for what it never opened.

    ``audio`` and ``packets`` count frames and packets, also those that another call had no room for (``forward``), and
    ``turns`` frames of turns that were not read. The client sees the same in its statistics.
    """

    audio: int = 0
    packets: int = 0
    turns: int = 0
    dtmf: int = 0
    messages: int = 0
    events: int = 0


class Call(ABC):
    """One conversation. It ends when the agent returns or raises; the agent is cancelled when the caller hangs up.

    A stream opens when it is first iterated, not before, and is read by one task at a time. All streams are bounded:
    what an agent does not read in time is dropped, the oldest first.

    What an agent hands over is checked at once: ``ValueError`` names the rule that it breaks.
    """

    sample_rate: int
    """Of ``audio`` and of the frames given to ``say``, in hertz; chosen by ``AgentSpec.sample_rate``."""
    frame_ms: int
    """How long the frames of ``audio`` are, in milliseconds; chosen by ``AgentSpec.frame_ms``."""
    nursery: trio.Nursery
    """For the agent's background tasks; they end with the call."""

    @property
    @abstractmethod
    def info(self) -> CallInfo:
        """Who calls, and what was asked for. Metadata that the caller adds makes it a new value."""

    @property
    @abstractmethod
    def audio(self) -> AsyncIterator[AudioFrame]:
        """The caller's voice: frames of ``frame_ms`` at ``sample_rate``, lost packets concealed.

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
    def start_saying(self, audio: Speakable | Sequence[Speakable] | AsyncIterable[Speakable]) -> Utterance:
        """Say this beside what the agent does, as one utterance, and return at once.

        It takes its turn in the order of the calls, as what is given to ``say`` does, and nothing of others is said
        before all of it was sent: not even while an iterator, such as a synthesiser's stream, has nothing yet. The call
        goes on until it is done, also when the agent has returned.

        Raises ``ValueError`` as ``say`` does. What an iterator yields is checked as it comes: an error in it is one of
        a background task of the agent's.
        """

    @property
    @abstractmethod
    def is_speaking(self) -> bool:
        """Whether anything that was said has not been sent yet."""

    @abstractmethod
    def say_nowait(self, audio: AudioFrame | EncodedPacket) -> None:
        """The same as ``say``, for code that cannot wait: all of ``audio`` is queued, or nothing.

        Raises ``trio.WouldBlock`` while another utterance is being said, and where ``audio`` would make more wait than
        the configured time and a frame; and ``ValueError`` as ``say`` does.
        """

    @abstractmethod
    def turns(self, detector: VoiceActivityDetector, settings: TurnSettings = DEFAULT_TURNS) -> AsyncIterator[Turn]:
        """What the caller says, turn by turn, each told when speech has begun; beside ``audio`` and ``packets``.

        The detector hears the caller in a background task from now on, whatever the agent does meanwhile; what it
        raises ends the call as an error of the agent. Called again, it ends the iteration that it was asked for before.
        Up to 8 turns wait to be iterated: then the oldest is dropped, and its frames are counted. Raises ``ValueError``
        for a detector that is none.
        """

    @property
    @abstractmethod
    def dropped(self) -> Dropped:
        """What this agent was too slow to take, by now."""

    @abstractmethod
    async def stats(self) -> Statistics:
        """What was counted of this call by now, as W3C webrtc-stats has it: what its client is told every five seconds.

        ``to_json`` makes what browsers make of theirs; members are seen from the gateway.
        """

    @abstractmethod
    def forward(self, to: "Call", *, encoded: bool = False) -> AbstractContextManager[None]:
        """Within this block what the caller says goes straight to the listener of ``to``, which may be this call.

        No task has to wake for it: each frame, or packet where ``encoded``, is given to ``to.say_nowait`` as it is due,
        beside ``audio`` and ``packets``. What that has no room for is dropped and counted, so nothing is ever delayed
        for long; while an agent speaks to that listener, the agent is heard. Frames are resampled for calls of another
        sample rate. Raises ``ValueError`` where that needs a resampler and none is installed, and within the block for
        packets of another codec than ``to`` sends.
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
    async def wait_for_channel(self, label: str | None = None) -> str:
        """Wait until the client has opened a data channel, of this label if it is given, and return its label.

        Raises ``LocalError`` in a call that cannot have any: by WebSocket.
        """

    @abstractmethod
    async def send_event(self, name: str, data: Mapping[str, Any]) -> None:
        """Send an ``event`` message by the same way as text.

        Raises ``LocalError`` if ``data`` is not JSON, and ``ValueError`` for the name of one of the gateway's own.
        """

    @property
    @abstractmethod
    def agents(self) -> Sequence[str]:
        """The names of the agents that this call can be handed to: those of its campaign."""

    @abstractmethod
    def transfer(self, to: "str | Agent") -> None:
        """Hand the call over: to one of ``agents`` by its name, or to a function. Like ``hang_up``, it returns at once.

        This agent and its background tasks are cancelled at their next checkpoint; then the other is called with this
        call as it stands. Nothing is lost between the two: what is queued is still sent, and each stream goes on with
        what waits in it. What ``start_saying`` has begun ends with this agent: ``drain`` before, to let it finish. An
        agent by name finds its own settings in ``info``. Raises ``ValueError`` for a name that is none of ``agents``,
        and for what cannot be called with a call.
        """

    @abstractmethod
    def restart_ice(self) -> None:
        """Ask the caller's client to restart ICE: to look for another way of the media, beside that which there is.

        Clients need not heed it, and by the WebSocket transport there is nothing to look for.
        """

    @abstractmethod
    def hang_up(self, reason: str = "agent hung up") -> None:
        """End the call; the agent is cancelled at its next checkpoint."""


Agent = Callable[[Call], Awaitable[None]]
"""An agent is one async function of a call."""


@dataclass(frozen=True, slots=True)
class CampaignInfo:
    """The campaign that an agent is made for: its ``campaignId``, and rate (hertz) and frames of ``Call.audio``."""

    id: str
    sample_rate: int
    agents: tuple[str, ...] = ()
    """The names of all of its agents: calls can be handed to them."""
    frame_ms: int = FRAME_MS


@dataclass(frozen=True, slots=True)
class AgentSpec:
    """An agent as ``register_agents`` returns it; a campaign enables it by ``name``.

    ``create`` is called once per campaign at start-up with an instance of ``config_type`` (None: the agent takes no
    settings) and returns the agent. Where it has a parameter called ``campaign``, that gets the ``CampaignInfo``.
    """

    name: str
    create: Callable[..., Agent]
    config_type: type[msgspec.Struct] | None = None
    sample_rate: int = 16000
    frame_ms: int = FRAME_MS
    """How long the frames that it hears are, in milliseconds: 20, or 10 for less delay and twice the work. Packets are
    as long in both directions, where the caller can and wants no others."""
