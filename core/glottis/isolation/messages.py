"""What gateway and worker tell each other. ``call`` is the number of a call in this process.

A worker may have gone mad, and of what it says nothing but ``Malformed`` may come: its messages have types and bounds.
What the gateway says is its own, and may hold what is pickled.
"""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from glottis.contracts.audio import BYTES_PER_SAMPLE, EncodedPacket
from glottis.contracts.errors import Malformed

LONGEST_FROM_WORKER: Final = 1024 * 1024
"""Bytes: four times the longest message that a client can be sent."""
LONGEST_FROM_GATEWAY: Final = 64 * 1024 * 1024
"""Four times what the configuration lets a client send, which is the most that a message holds."""
MAX_REASON: Final = 4096
"""Characters of what a worker says for people."""

MAX_NAME: Final = 256
"""Characters of an agent's name, as far as it is told."""

Count = Annotated[int, Meta(ge=0, le=2**62)]
Reason = Annotated[str, Meta(max_length=MAX_REASON)]
Name = Annotated[str, Meta(max_length=MAX_NAME)]
Seconds = Annotated[float, Meta(ge=0, le=10)]


class _Message(msgspec.Struct, array_like=True, gc=False):
    """On the pipe an array, with the class's number first."""


# From the gateway


class Order(_Message, tag=0):
    """The first message: what agents to make, as ``orders.Order``, pickled."""

    order: bytes


class Begin(_Message, tag=1):
    """A call for an agent. ``info`` is its ``CallInfo`` without the settings, pickled; the bounds are in seconds."""

    call: int
    agent: str
    info: bytes
    say_queue: float
    audio_queue: float


class Cancel(_Message, tag=2):
    """The call is over: the agent is to stop."""

    call: int


class Voice(_Message, tag=5):
    """How the caller can be spoken to, and of what was said in this epoch, how many seconds wait no longer.

    Of these the caller has not played ``unheard`` yet, as far as it tells.
    """

    call: int
    epoch: int
    gone: float
    unheard: float
    can_send: bool
    takes_tones: bool
    encoding_name: str


class Heard(_Message, tag=3):
    """The caller's voice in a media tick: a frame's samples, None without one, and the packets that are wanted."""

    call: int
    pcm: bytes | None
    timestamp: int
    packets: tuple[EncodedPacket, ...] = ()
    voice: Voice | None = None
    """What has changed of that, too."""


class Keys(_Message, tag=4):
    """Keys of the caller, each that is down by its digit, and one that is up again by the seconds that it was down."""

    call: int
    changes: tuple[str | float, ...]


class Text(_Message, tag=6):
    """Of the caller."""

    call: int
    text: str
    channel: str | None


class Bytes(_Message, tag=7):
    """Of the caller."""

    call: int
    data: bytes
    channel: str


class Happened(_Message, tag=8):
    """A ``CallEvent``, pickled."""

    call: int
    event: bytes


class Answer(_Message, tag=9):
    """To an ``Ask``: the label of a channel, the statistics, pickled, or what is wrong."""

    call: int
    number: int
    label: str = ""
    error: str = ""
    is_too_long: bool = False
    """Whether the error is a ``MessageTooLong``."""
    content: bytes = b""


class Ping(_Message, tag=10):
    """Is anybody there? And what was dropped?"""


FromGateway = Order | Begin | Cancel | Heard | Keys | Voice | Text | Bytes | Happened | Answer | Ping


# From the worker


class Ready(_Message, tag=20):
    """The agents were made: calls may come."""


class Refused(_Message, tag=21):
    """One of the agents could not be made. The process ends."""

    reason: Reason


class Alive(_Message, tag=22):
    """The answer to ``Ping``."""


class Wants(_Message, tag=23):
    """What the agent listens to from now on."""

    call: Count
    audio: bool
    packets: bool


class Say(_Message, tag=24):
    """Whole samples at the call's rate."""

    call: Count
    pcm: bytes

    def __post_init__(self) -> None:
        if len(self.pcm) % BYTES_PER_SAMPLE:
            raise ValueError("expected whole samples")


class SayPacket(_Message, tag=25):
    """A packet of the codec that is sent."""

    call: Count
    packet: EncodedPacket


class SayTone(_Message, tag=26):
    """A key, pressed for the listener."""

    call: Count
    event: Annotated[int, Meta(ge=0, le=15)]
    duration: Seconds
    gap: Seconds


class Flush(_Message, tag=27):
    """Drop what was said so far. What is said from now on is of this epoch."""

    call: Count
    epoch: Count


class Ask(_Message, tag=28):
    """Do this, and answer under the number when it is done; ``content`` of an event is JSON, and ``name`` its name."""

    call: Count
    number: Count
    what: Literal["text", "bytes", "event", "channel", "stats"]
    name: str | None
    content: bytes = b""


class Unask(_Message, tag=29):
    """Nobody waits for this answer any more."""

    call: Count
    number: Count


class Waiting(_Message, tag=30):
    """How many messages have come in all, and how many, and bytes of memory, wait for the agent."""

    call: Count
    received: Count
    count: Count
    size: Count
    is_read: bool


class Missed(_Message, tag=31):
    """What the agent was too slow for by now, as ``Dropped`` has it."""

    call: Count
    audio: Count
    packets: Count
    turns: Count
    dtmf: Count
    messages: Count
    events: Count


class HangUp(_Message, tag=32):
    """The agent ends the call."""

    call: Count
    reason: Reason


class RestartIce(_Message, tag=36):
    """The agent wants the caller to look for another way of the media."""

    call: Count


class HandedOver(_Message, tag=35):
    """From now on the call is for the agent of this name."""

    call: Count
    name: Name


class Failed(_Message, tag=33):
    """What the agent or a task of it has raised, and whose it is."""

    call: Count
    sentence: Reason
    is_too_long: bool = False
    """Whether it is a ``MessageTooLong``."""


class Stopped(_Message, tag=34):
    """The agent has stopped, and all that it said is sent. Nothing of this call follows."""

    call: Count


OfCall = (
    Wants
    | Say
    | SayPacket
    | SayTone
    | Flush
    | Ask
    | Unask
    | Waiting
    | Missed
    | HangUp
    | RestartIce
    | HandedOver
    | Failed
    | Stopped
)
FromWorker = Ready | Refused | Alive | OfCall

_ENCODER: Final = msgspec.msgpack.Encoder()
_FROM_GATEWAY: Final[msgspec.msgpack.Decoder[FromGateway]] = msgspec.msgpack.Decoder(FromGateway)
_FROM_WORKER: Final[msgspec.msgpack.Decoder[FromWorker]] = msgspec.msgpack.Decoder(FromWorker)


def encode(message: FromGateway | FromWorker) -> bytes:
    """As the body of a frame."""
    return _ENCODER.encode(message)


def parse_from_gateway(body: bytes) -> FromGateway:
    """In the worker, which can believe it."""
    return _FROM_GATEWAY.decode(body)


def parse_from_worker_untrusted(body: bytes) -> FromWorker:
    """In the gateway; raises ``Malformed``."""
    try:
        return _FROM_WORKER.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Malformed(f"expected a message of a worker: {type(error).__name__}") from None
