"""What extensions have to do with: hooks that run for each call, and one for the life of the gateway."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from glottis.contracts.audio import EncodedPacket
from glottis.contracts.call import Message
from glottis.contracts.codec import CodecSpec
from glottis.contracts.events import CallEvent
from glottis.contracts.figures import GatewayFigures
from glottis.contracts.parts import GatewayParts, OnePart
from glottis.contracts.session_desk import NoSessions, SessionDesk
from glottis.contracts.statistics import Statistics

Direction = Literal["input", "output"]
"""Of audio, as ``CallInfo`` has it: from the caller, and to the caller."""

Milestone = Literal["answered", "path_found"]
"""Of the setup of a call by WebRTC, beside its states: the first offer is answered; a candidate pair works, by a check
of the gateway's own that the caller has answered."""

Incoming = Literal["negotiated", "keys", "rtp", "rtcp", "tick"]
"""What comes in of the media of a call by WebRTC: an agreement on its audio, as JSON; keys, from which on packets are
read; a packet after decryption; a media tick, in which frames are made of packets."""


class Tell(Protocol):
    """Sends an event of this name to the client of a call by signaling, and to its agent and observers.

    May be called at any time, from the call's thread; after the end of the call it does nothing. Raises ``ValueError``
    for a name that is the gateway's own, and ``LocalError`` for data that JSON cannot say.
    """

    def __call__(self, name: str, data: Mapping[str, Any]) -> None: ...


class Keys(Protocol):
    """Gives the agent of a call keys that the caller presses as tones in what it says, as ``call.dtmf``.

    For processors of what is heard. A caller who sends telephone events presses keys by these alone: from its first one
    on, nothing comes of the tones.
    """

    def down(self, digit: str) -> None:
        """A key is pressed; raises ``LocalError`` unless it is one of ``0123456789*#ABCD``, and none is down."""

    def up(self, duration: float) -> None:
        """It is up again, and was down for so many seconds; nothing happens where none is down."""


class SessionObserver(Protocol):
    """Told of what happens in one session. An observer has as many of these methods as it needs, at least one.

    They are called where it happens, some of them in the media tick, and must not wait for anything. One that raises,
    or is slow again and again, is called no more in this session, and the log says whose it was.
    """

    def event(self, event: CallEvent) -> None:
        """The session has this event: its state and media, statistics, and those that agent and extensions send."""

    def reached(self, milestone: Milestone) -> None:
        """The setup of the session has come so far, for the first time."""

    def message_received(self, message: Message) -> None:
        """The client has sent this to the agent."""

    def message_sent(self, message: Message) -> None:
        """The agent has sent this to the client."""

    def packet_received(self, packet: EncodedPacket, codec: CodecSpec) -> None:
        """The caller's voice as it came, in order, when it is due to be heard: before any processor.

        ``codec`` decodes it. What is lost or too late is not told: ``rtp_timestamp`` leaves room for it.
        """

    def packet_sent(self, packet: EncodedPacket, codec: CodecSpec) -> None:
        """What the caller is sent of the agent's voice: after all processors. Pauses are not told."""

    def incoming(self, kind: Incoming, data: bytes, now: float) -> None:
        """All that the engines of a call by WebRTC are given to hear, for who is to give it to them again.

        ``data`` is a plain packet of RTP or RTCP, JSON, or empty. ``now`` are seconds of the gateway's clock: of what
        has come before the keys, when it came.
        """

    def ended(self, reason: str, statistics: Statistics) -> None:
        """The session has ended: the last that is told."""


@dataclass(frozen=True, slots=True)
class GatewayInfo:
    """The gateway that an extension is part of."""

    url: str
    """Where it listens."""
    version: str
    campaigns: tuple[str, ...] = ()
    """Those that have this extension, by their ids."""
    codecs: tuple[CodecSpec, ...] = ()
    """In force, in order of preference."""
    figures: Callable[[], GatewayFigures] = GatewayFigures
    """Tells how the gateway, or this process of it, fares now; may be called at any time, from the gateway's thread."""
    parts: GatewayParts = field(default_factory=OnePart)
    """The processes that it consists of."""
    sessions: SessionDesk = field(default_factory=NoSessions)
    """Those of this process."""
    operators: tuple[str, ...] = ()
    """Names of principals that may use routes for operators (``auth.operators``)."""
    public_url: str = ""
    """Where clients reach it, as ``server.public_url`` has it; empty where that is found in each request."""
