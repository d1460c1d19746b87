"""The gateway as a whole, where several processes are one: what none of them can know or decide by itself."""

import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Protocol

from glottis.config import Campaign
from glottis.contracts.info import CallInfo
from glottis.server.sessions.admission import Unavailable


class Whole(Protocol):
    """All processes together, as the sessions of one of them see them."""

    def new_session_id(self) -> str:
        """One that nobody can guess, and that says which process has the session."""

    async def claim(self, info: CallInfo, campaign: Campaign) -> None:
        """Have this session counted. Raises ``Unavailable`` or ``TooManySessions`` if it is one too many."""

    def connected(self, session_id: str) -> None:
        """Its client has come."""

    def release(self, session_id: str) -> None:
        """It was claimed, and has ended, and its agent with it."""

    async def recall(self, session_id: str) -> tuple[str, str] | None:
        """Whose session it was and how it fared, as ``explain`` has it, where its process has left since."""

    def unavailability(self, own: Callable[[], Unavailable | None]) -> Unavailable | None:
        """Why no process can create a session at the moment; None if one can. ``own`` says it of this process."""


class Alone:
    """The whole is this process, which counts its sessions itself."""

    def new_session_id(self) -> str:
        """See ``Whole``."""
        return secrets.token_urlsafe(16)

    async def claim(self, info: CallInfo, campaign: Campaign) -> None:
        """See ``Whole``."""

    def connected(self, session_id: str) -> None:
        """See ``Whole``."""

    def release(self, session_id: str) -> None:
        """See ``Whole``."""

    async def recall(self, session_id: str) -> tuple[str, str] | None:
        """See ``Whole``."""
        return None

    def unavailability(self, own: Callable[[], Unavailable | None]) -> Unavailable | None:
        """See ``Whole``."""
        return own()


@asynccontextmanager
async def claimed(whole: Whole, info: CallInfo, campaign: Campaign) -> AsyncIterator[None]:
    """The session that is made in the block is counted, unless it cannot be made; raises as ``claim`` does."""
    await whole.claim(info, campaign)
    try:
        yield
    except BaseException:
        whole.release(info.session_id)
        raise
