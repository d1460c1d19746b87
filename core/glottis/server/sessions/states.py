"""The states of a session and what moves it from one to the next (CONTRACT §2), as data."""

from enum import Enum
from typing import Final


class SessionState(Enum):
    """CONTRACT §2."""

    CREATED = "created"
    CONNECTING = "connecting"
    ACTIVE = "active"
    ENDING = "ending"
    ENDED = "ended"

    @property
    def alive(self) -> bool:
        """Whether the call can still take place."""
        return self in _ALIVE


class Happening(Enum):
    """What a session may meet that changes its state."""

    CLIENT_CAME = "the client's WebSocket is there"
    MEDIA_FLOWS = "the media connection stands"
    END = "either side ended the call, or the time for something was over"
    STOPPED = "the agent has stopped"


_ALIVE: Final = (SessionState.CREATED, SessionState.CONNECTING, SessionState.ACTIVE)

TRANSITIONS: Final[dict[tuple[SessionState, Happening], SessionState]] = {
    (SessionState.CREATED, Happening.CLIENT_CAME): SessionState.CONNECTING,
    (SessionState.CONNECTING, Happening.MEDIA_FLOWS): SessionState.ACTIVE,
    (SessionState.ENDING, Happening.STOPPED): SessionState.ENDED,
} | {(state, Happening.END): SessionState.ENDING for state in _ALIVE}
