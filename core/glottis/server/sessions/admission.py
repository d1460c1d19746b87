"""What comes of the wish for a session."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from glottis.contracts.errors import GlottisError
from glottis.contracts.ice_servers import IceServer


class Unavailable(GlottisError):
    """No session can be created now. ``code`` is ``FULL``, ``OVERLOADED``, ``DRAINING`` or ``STARTING``.

    The message tells people.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class TooManySessions(GlottisError):
    """This client has its share of the sessions; the message says so in a sentence."""


class UnknownCampaign(GlottisError):
    """The configuration has no such campaign."""


@dataclass(frozen=True, slots=True)
class CreatedSession:
    """A session that waits for its client. ``expires_at`` is in seconds since the epoch; ``repr`` hides the URL."""

    session_id: str
    websocket_url: str
    expires_at: float
    ice_servers: Sequence[IceServer] = ()
    audio_config: Mapping[str, Any] | None = None
    """What is in force, where it needs no negotiation."""

    def __repr__(self) -> str:
        return f"CreatedSession({self.session_id})"
