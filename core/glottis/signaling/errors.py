"""What can be wrong with the messages of a client, and with its WebSocket."""

from glottis.contracts.errors import GlottisError, Malformed


class Rejected(Malformed):
    """Network input that is refused for a reason with a stable ``code``, as CONTRACT §1 and §3 demand."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message, code=code)


class WebSocketClosed(GlottisError):
    """The WebSocket is closed, by either side, with this code and reason (RFC 6455 §7.4)."""

    def __init__(self, code: int, reason: str = "") -> None:
        # The reason may be the peer's own words: quoted, they cannot forge a line of a log.
        super().__init__(f"WebSocket closed with {code}: {reason!r}" if reason else f"WebSocket closed with {code}")
        self.code = code
        self.reason = reason

    def again(self) -> "WebSocketClosed":
        """To be raised, while this one is kept: the frames of a traceback would hold who keeps it, in a circle."""
        return WebSocketClosed(self.code, self.reason)
