"""What can be wrong with the messages of a client, and with its WebSocket."""

from glottis.contracts.errors import Malformed, WebSocketClosed

__all__ = ["Rejected", "WebSocketClosed"]


class Rejected(Malformed):
    """Network input that is refused for a reason with a stable ``code``, as CONTRACT §1 and §3 demand."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message, code=code)
