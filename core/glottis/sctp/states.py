"""The states of an association and what moves it from one to the next (RFC 9260 §4), as data."""

from enum import Enum
from typing import Final


class State(Enum):
    """RFC 9260 §4."""

    CLOSED = "closed"
    COOKIE_WAIT = "cookie-wait"
    COOKIE_ECHOED = "cookie-echoed"
    ESTABLISHED = "established"
    SHUTDOWN_PENDING = "shutdown-pending"
    SHUTDOWN_SENT = "shutdown-sent"
    SHUTDOWN_RECEIVED = "shutdown-received"
    SHUTDOWN_ACK_SENT = "shutdown-ack-sent"


class Happening(Enum):
    """What an association may meet that changes its state."""

    CONNECT = "the owner connects"
    INIT_ACK = "a valid INIT ACK arrived"
    VALID_COOKIE = "a COOKIE ECHO with a cookie of ours arrived"
    COOKIE_ACK = "a COOKIE ACK arrived"
    STALE_COOKIE = "the peer found the cookie too old"
    SHUTDOWN_REQUESTED = "the owner shuts down"
    ALL_ACKNOWLEDGED = "nothing that was sent is unacknowledged"
    SHUTDOWN = "a SHUTDOWN arrived"
    SHUTDOWN_ACK = "a SHUTDOWN ACK arrived"
    SHUTDOWN_COMPLETE = "a SHUTDOWN COMPLETE arrived"
    END = "an ABORT was sent or arrived, or retransmissions were exhausted"


TRANSITIONS: Final[dict[tuple[State, Happening], State]] = {
    (State.CLOSED, Happening.CONNECT): State.COOKIE_WAIT,
    (State.CLOSED, Happening.VALID_COOKIE): State.ESTABLISHED,
    (State.COOKIE_WAIT, Happening.INIT_ACK): State.COOKIE_ECHOED,
    # Both ends connected at once (RFC 9260 §5.2.1): the first valid cookie settles it.
    (State.COOKIE_WAIT, Happening.VALID_COOKIE): State.ESTABLISHED,
    (State.COOKIE_ECHOED, Happening.VALID_COOKIE): State.ESTABLISHED,
    (State.COOKIE_ECHOED, Happening.COOKIE_ACK): State.ESTABLISHED,
    (State.COOKIE_ECHOED, Happening.STALE_COOKIE): State.CLOSED,
    (State.ESTABLISHED, Happening.SHUTDOWN_REQUESTED): State.SHUTDOWN_PENDING,
    (State.ESTABLISHED, Happening.SHUTDOWN): State.SHUTDOWN_RECEIVED,
    (State.SHUTDOWN_PENDING, Happening.SHUTDOWN): State.SHUTDOWN_RECEIVED,
    (State.SHUTDOWN_PENDING, Happening.ALL_ACKNOWLEDGED): State.SHUTDOWN_SENT,
    (State.SHUTDOWN_RECEIVED, Happening.ALL_ACKNOWLEDGED): State.SHUTDOWN_ACK_SENT,
    (State.SHUTDOWN_SENT, Happening.SHUTDOWN): State.SHUTDOWN_ACK_SENT,
    (State.SHUTDOWN_SENT, Happening.SHUTDOWN_ACK): State.CLOSED,
    (State.SHUTDOWN_ACK_SENT, Happening.SHUTDOWN_ACK): State.CLOSED,
    (State.SHUTDOWN_ACK_SENT, Happening.SHUTDOWN_COMPLETE): State.CLOSED,
} | {(state, Happening.END): State.CLOSED for state in State}

TAKES_DATA: Final = frozenset({State.ESTABLISHED, State.SHUTDOWN_PENDING, State.SHUTDOWN_SENT})
"""Where DATA that arrives is accepted (RFC 9260 §6)."""

SENDS_DATA: Final = frozenset({State.ESTABLISHED, State.SHUTDOWN_PENDING, State.SHUTDOWN_RECEIVED})
"""Where DATA may be sent, and so acknowledged: what was queued before a shutdown still is (RFC 9260 §9.2)."""
