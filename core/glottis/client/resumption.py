"""Coming back to a session whose WebSocket is lost: by which URL, until when, and after which pauses (CONTRACT §3)."""

import errno
import socket
from collections.abc import Iterator, Mapping
from typing import Any, Final

from glottis.client.connection import CallFailed, errno_of
from glottis.wire.discreet import Discreet

FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 4.0
"""Seconds between two attempts; each pause is twice the one before."""
LONGEST_PAUSE_OFFLINE: Final = 0.25
"""While this machine has no network: to ask costs nobody anything, and the call is to go on as soon as there is one."""
MAX_GRACE: Final = 86_400.0
"""Seconds; a gateway's longest."""


_OFFLINE: Final = {errno.ENETUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL, socket.EAI_AGAIN}


class Resumption(Discreet, frozen=True):
    """What the gateway has told last. ``repr`` hides the URL, which has a token in it."""

    hidden = frozenset({"websocket_url"})

    websocket_url: str
    grace: float
    """Seconds from the loss."""


def resumption_of(data: Mapping[str, Any]) -> Resumption | None:
    """What the event ``resume`` says, if it can be used."""
    url, grace = data.get("websocketUrl"), data.get("graceSeconds")
    if not isinstance(url, str) or not isinstance(grace, int | float) or not 0 < grace <= MAX_GRACE:
        return None
    return Resumption(url, float(grace))


def pauses() -> Iterator[float]:
    """Before each attempt, seconds."""
    pause = 0.0
    while True:
        yield pause
        pause = min(max(FIRST_PAUSE, 2 * pause), LONGEST_PAUSE)


def is_offline(failure: CallFailed) -> bool:
    """Whether this machine is to blame: it has no way out, or cannot ask for names."""
    return errno_of(failure) in _OFFLINE


def is_hopeless(failure: CallFailed) -> bool:
    """Whether there is nobody to come back to: where nothing listens any more, no session is left."""
    return errno_of(failure) == errno.ECONNREFUSED
