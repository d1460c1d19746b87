"""The processes that are one gateway together (``server.workers``), as an extension in one of them sees them."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Protocol

TellPart = Callable[[], Awaitable[bytes]]
"""What this process has to tell, of at most 48 KiB."""


class GatewayParts(Protocol):
    """Each process has its own extensions, and its own sessions; what is told of all of them is collected by this."""

    @property
    def number(self) -> int:
        """Of this process: from 1 on, and never the same again. 0: it is the only one."""

    def offer(self, name: str, tell: TellPart) -> None:
        """Tell this by the name, whichever process asks. Another ``tell`` replaces it."""

    async def collect(self, name: str) -> Mapping[int, bytes]:
        """What each process tells by the name, this one among them, by their numbers.

        Those that have nothing to tell, or take longer than five seconds, are missing.
        """


class OnePart:
    """A gateway that is one process."""

    number: Final = 0

    def __init__(self) -> None:
        self._offers: dict[str, TellPart] = {}

    def offer(self, name: str, tell: TellPart) -> None:
        """See ``GatewayParts``."""
        self._offers[name] = tell

    async def collect(self, name: str) -> Mapping[int, bytes]:
        """See ``GatewayParts``."""
        return {self.number: await self._offers[name]()} if name in self._offers else {}
