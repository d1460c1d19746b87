"""The sessions of a gateway, or of one process of it, for extensions by which operators look after them."""

from typing import Protocol


class SessionDesk(Protocol):
    """Any session, whoever has created it. What is told of one is for operators, who are asked for elsewhere."""

    async def explain(self, session_id: str) -> str | None:
        """How it fares, or has fared lately, as a page of text; None if there is none by this id."""

    def end(self, session_id: str, reason: str) -> bool:
        """End its call now; the client is told the reason. False if there is none by this id, or it has ended."""


class NoSessions:
    """The desk of no gateway."""

    async def explain(self, session_id: str) -> str | None:
        """See ``SessionDesk``."""
        return None

    def end(self, session_id: str, reason: str) -> bool:
        """See ``SessionDesk``."""
        return False
