"""What the parent and a worker tell each other, each message with the descriptors that go with it.

A worker may have gone mad, and of what it says nothing but ``Malformed`` may come: its messages have types and bounds.
"""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from glottis.contracts.cluster import Limited
from glottis.contracts.errors import Malformed
from glottis.server.http.entry import Entry
from glottis.server.runtime.counts import GatewayCounts

PROTOCOL: Final = 2
"""Grows whenever the messages change: after an update, a worker may be newer than its parent."""
LONGEST: Final = 96 * 1024
"""Bytes of a message: the longest has the head of a request, and a little more."""
MOST_DESCRIPTORS: Final = 64
"""That go with a message."""
MAX_RECEIVED: Final = 64 * 1024
"""Bytes of a request that are handed over: a head of 16 KiB at most, and what came with its end."""
MAX_FIGURES: Final = 48 * 1024
"""Bytes of what a worker tells of itself."""
MOST_TRIED: Final = 3
"""Workers that a request for a session is given to, one after the other, where they have no room for it."""
MAX_PAGE: Final = 64 * 1024
"""Bytes of the trace of a session that has ended."""
MAX_COUNTS: Final = 4096
"""Bytes of what a worker has counted, which each of its beats has."""
MAX_COUNT: Final = 1_000_000_000
"""Of whatever there is a bound of."""

Name = Annotated[str, Meta(max_length=512)]
Text = Annotated[str, Meta(max_length=4096)]
Number = Annotated[int, Meta(ge=0, le=2**53)]
Count = Annotated[int, Meta(ge=0, le=MAX_COUNT)]
Port = Annotated[int, Meta(ge=0, le=65535)]
Seconds = Annotated[float, Meta(ge=0, le=1_000_000)]
Ticket = Annotated[str, Meta(max_length=64)]
Received = Annotated[bytes, Meta(max_length=MAX_RECEIVED)]
Figures = Annotated[bytes, Meta(max_length=MAX_FIGURES)]


class _Message(msgspec.Struct, array_like=True, gc=False):
    """On the socket an array, with the class's number first."""


class Wants(_Message):
    """What a worker's configuration asks of the parent."""

    workers: Annotated[int, Meta(ge=1, le=256)]
    host: Name
    port: Port
    media_hosts: Annotated[tuple[Name, ...], Meta(max_length=16)]
    udp_port: Port
    tcp_port: Port | None
    max_sessions: Count
    max_sessions_per_client: Count
    max_sessions_per_minute: Count
    max_requests_per_minute: Count
    shutdown_grace: Seconds
    patience: Seconds
    queue: Count
    scheme: Literal["http", "https"]


# From a worker


class Hello(_Message, tag=0):
    """Its code is loaded, and its configuration found right; ``version`` is that of the distribution."""

    protocol: int
    version: Name
    wants: Wants


class Ready(_Message, tag=1):
    """It takes calls; this is where."""

    media: Text


class Beat(_Message, tag=2):
    """Its event loop turns. ``unavailable`` is why it takes no further session, as ``Unavailable.code`` says it."""

    unavailable: Name
    counts: Annotated[bytes, Meta(max_length=MAX_COUNTS)]


class HandOver(_Message, tag=3):
    """A connection, whose request is for this worker; or for a session, which whoever has least to do creates (0).

    Then there is who asks for it, with which place in the queue, and which workers have had no room for it.
    """

    worker: Number
    received: Received
    client: Name = ""
    ticket: Ticket = ""
    tried: Annotated[tuple[Number, ...], Meta(max_length=MOST_TRIED)] = ()
    peer_host: Name = ""
    """As ``Adopted`` has it."""


class Claim(_Message, tag=4):
    """May there be another session?"""

    question: Number
    session_id: Name
    campaign: Name
    most_of_campaign: Count | None
    client: Name
    principal: Name
    most_of_principal: Count | None


class Connected(_Message, tag=5):
    """The client of a claimed session has come."""

    session_id: Name


class Release(_Message, tag=6):
    """A claimed session has ended."""

    session_id: Name


class Rate(_Message, tag=7):
    """How long has this client to wait until it may ask for something of this kind?"""

    question: Number
    what: Limited
    client: Name


class Ask(_Message, tag=8):
    """What do all workers tell of themselves?"""

    question: Number
    what: Name


class Told(_Message, tag=9):
    """What this worker tells, when it was asked."""

    question: Number
    figures: Figures


class Queue(_Message, tag=10):
    """Who has this ticket, or none yet, waits for a session."""

    question: Number
    ticket: Ticket
    client: Name


class Leave(_Message, tag=11):
    """Who has this ticket waits no more."""

    ticket: Ticket


class Leaves(_Message, tag=12):
    """What it has noted of a session that has ended: it is about to leave."""

    session_id: Name
    principal: Name
    page: Annotated[bytes, Meta(max_length=MAX_PAGE)]
    seconds: Seconds
    """For which it would have kept it."""


class Recall(_Message, tag=13):
    """What was noted of this session, whose worker has left?"""

    question: Number
    session_id: Name


# From the parent


class Welcome(_Message, tag=20):
    """Its number and the secret that signs tokens; with it come sockets: so many for HTTP, UDP, and TCP media."""

    worker: Number
    secret: bytes
    http: int
    udp: int
    tcp: int


class Adopt(_Message, tag=21):
    """A connection whose request is for this worker, with what is to be known of one for a session."""

    received: bytes
    entry: Entry | None
    peer_host: str


class Granted(_Message, tag=22):
    """There may be another session."""

    question: int


class Refused(_Message, tag=23):
    """There may not; ``code`` is that of ``Unavailable``, or empty where this client or principal has its share."""

    question: int
    code: str
    text: str


class Wait(_Message, tag=24):
    """So long has the client to wait."""

    question: int
    seconds: float


class State(_Message, tag=25):
    """Why no worker takes a session; empty if one does."""

    unavailable: str


class Stop(_Message, tag=26):
    """Let calls go on for so many seconds, and then end them. ``listening``: still take connections meanwhile."""

    grace: float
    listening: bool


class Tell(_Message, tag=27):
    """What it has to tell of itself is wanted."""

    question: int
    what: str


class Part(_Message, tag=28):
    """What one worker tells."""

    question: int
    worker: int
    figures: bytes


class Done(_Message, tag=29):
    """No further worker tells anything."""

    question: int


class Queued(_Message, tag=30):
    """The ticket, and its place in the queue; 0: there is none."""

    question: int
    ticket: str
    place: int


class Recalled(_Message, tag=31):
    """What was noted of a session, and whose it was; empty: nothing is known."""

    question: int
    principal: str
    page: bytes


FromWorker = (
    Hello | Ready | Beat | HandOver | Claim | Connected | Release | Rate | Ask | Told | Queue | Leave | Leaves | Recall
)
FromParent = Welcome | Adopt | Granted | Refused | Wait | State | Stop | Tell | Part | Done | Queued | Recalled

_encoder = msgspec.msgpack.Encoder()
_from_worker = msgspec.msgpack.Decoder(FromWorker)
_counts = msgspec.json.Decoder(GatewayCounts)
_from_parent = msgspec.msgpack.Decoder(FromParent)


def encode(message: FromWorker | FromParent) -> bytes:
    """As it is sent."""
    return _encoder.encode(message)


def parse_from_worker_untrusted(body: bytes) -> FromWorker:
    """What a worker says; raises ``Malformed``."""
    try:
        message: FromWorker = _from_worker.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise Malformed("expected a message of a worker") from None
    return message


def parse_counts_untrusted(figures: bytes) -> GatewayCounts:
    """What a worker has counted, as its beat says it; raises ``Malformed``."""
    try:
        counts: GatewayCounts = _counts.decode(figures)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise Malformed("expected the counts of a worker") from None
    return counts


def parse_from_parent(body: bytes) -> FromParent:
    """What the parent says, which is believed."""
    message: FromParent = _from_parent.decode(body)
    return message
