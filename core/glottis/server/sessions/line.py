"""The line to a session's client: its WebSocket, which may be lost for a while and come back as another."""

import math
from typing import Final, Protocol

import trio

from glottis.server.sessions.missed import MissedMessages
from glottis.signaling.close_codes import NORMAL
from glottis.signaling.messages import Bye, Error, Mark, SignalingMessage

MAX_REASON: Final = 100
"""Characters of a client's reason to hang up that are repeated; a close frame takes 123 bytes (RFC 6455 §5.5)."""


class Channel(Protocol):
    """To one client: by its WebSocket (``SignalingChannel``), or by a plugin's routes (``DoorClient``)."""

    def send(self, message: SignalingMessage) -> None: ...
    def refuse(self, error: Error) -> None: ...
    def play(self, audio: bytes | Mark) -> int: ...
    def stop_playing(self) -> None: ...
    async def wait_for_room(self) -> None: ...
    def begin_closing(self, code: int = NORMAL, reason: str = "") -> None: ...


class ClientLine:
    """At most one channel. While it is lost, texts and events are kept for the client's return."""

    __slots__ = ("__weakref__", "_channel", "_lets_go", "lost_at", "missed", "survives_reload")

    def __init__(self) -> None:
        self.missed = MissedMessages()
        self._channel: Channel | None = None
        self.lost_at = -math.inf
        self._lets_go = False
        self.survives_reload = False
        """Whether the client has said so with its last offer."""

    @property
    def comes_back(self) -> bool:
        """Whether the client has said so, then or as it let go of its socket: whatever it closes, the call goes on."""
        return self._lets_go or self.survives_reload

    @property
    def is_up(self) -> bool:
        """Whether the client's socket is there."""
        return self._channel is not None

    def is_over(self, channel: Channel) -> bool:
        """Whether this is the client's socket, and no older one."""
        return channel is self._channel

    def connect(self, channel: Channel) -> None:
        """The client's older socket, if any, is replaced; what was missed meanwhile comes first."""
        if self._channel is not None:
            self._channel.begin_closing(NORMAL, "the session goes on over another connection")
        self._channel, self._lets_go = channel, False
        for message in self.missed.take():
            channel.send(message)

    def lose(self, *, lets_go: bool = False) -> None:
        """The socket is gone."""
        self._channel, self._lets_go = None, lets_go
        self.lost_at = trio.current_time()

    def send(self, message: SignalingMessage) -> None:
        """Queue a message; raises ``LocalError`` if JSON cannot say it."""
        if self._channel is not None:
            self._channel.send(message)
        elif self.lost_at > -math.inf:
            self.missed.keep(message)

    def play(self, audio: bytes | Mark) -> int:
        """Queue a binary message, or a mark in its place; how many before it had to give way."""
        return self._channel.play(audio) if self._channel is not None else 0

    def stop_playing(self) -> None:
        """Drop what is queued of these."""
        if self._channel is not None:
            self._channel.stop_playing()

    def refuse(self, error: Error) -> None:
        """Answer a bad message, unless there were too many."""
        if self._channel is not None:
            self._channel.refuse(error)

    async def room(self) -> None:
        """Wait until the client's socket has room, if it is there: an agent is not to overflow it."""
        if self._channel is not None:
            await self._channel.wait_for_room()

    def close(self, code: int, reason: str) -> None:
        """Say goodbye and close the WebSocket with this code."""
        self.missed.take()
        self.lost_at = -math.inf
        if self._channel is not None:
            self._channel.send(Bye(reason))
            self._channel.begin_closing(code, reason)
            self._channel = None


def hang_up_reason(text: str) -> str:
    """What to say of a caller's end, with the start of its own reason if it gave one.

    Fit for the log and for a close frame: no line ends or other control characters.
    """
    reason = "".join(character if character.isprintable() else " " for character in text[:MAX_REASON])
    return f"the caller hung up: {reason}" if reason else "the caller hung up"
