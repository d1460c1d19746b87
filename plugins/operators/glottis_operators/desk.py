"""What operators are told: of all processes of the gateway together, or of one call of this one."""

import math
import time
from collections.abc import Callable, Mapping
from typing import Final

import msgspec
import trio
from glottis import CallInfo, GatewayInfo, Statistics

from glottis_operators.book import Book
from glottis_operators.letter import Letter, read
from glottis_operators.pulse import Pulse
from glottis_operators.record import CallRecord
from glottis_operators.settings import OperatorsConfig

NAME: Final = "operators"
"""By which the processes of a gateway tell each other theirs."""
MAX_ROWS: Final = 400
"""Calls of a process that are listed: those that fare worst."""
FRESH: Final = 1.0
"""Seconds for which an answer is given again, however many look."""


class OperatorsDesk:
    """The book of a process, and the gateway in it. Between two looks it does nothing."""

    def __init__(self) -> None:
        self.info: GatewayInfo | None = None
        """Of the gateway that is there, if one is."""
        self.has_token: bool | None = None
        """Whether the routes have a token of their own; None where they are not enabled."""
        self.book = Book()
        self._pulse: Pulse | None = None
        self._asking = trio.Lock()
        self._answer = b""
        self._answered_at = -math.inf

    def open(self, info: GatewayInfo) -> None:
        """A gateway begins, with a book of its own."""
        self.info = info
        self.book, self._pulse = Book(), Pulse()
        self._answer, self._answered_at = b"", -math.inf
        info.parts.offer(NAME, self.tell)

    def close(self) -> None:
        """It has ended."""
        self.info = self.has_token = self._pulse = None
        self.book = Book()

    def observe(self, info: CallInfo, statistics: Callable[[], Statistics], settings: OperatorsConfig) -> CallRecord:
        """A new call."""
        return self.book.observe(info, statistics, settings)

    async def overview(self) -> bytes:
        """Of all processes, as JSON."""
        async with self._asking:
            if self.info is not None and trio.current_time() - self._answered_at >= FRESH:
                told = await self.info.parts.collect(NAME)
                self._answer = together(told, self.info.version)
                self._answered_at = trio.current_time()
            return self._answer

    async def tell(self) -> bytes:
        """Of this process, for another one."""
        if self.info is None or self._pulse is None:
            return b""
        running = self.book.running()
        letter = Letter(
            {
                "worker": self.info.parts.number,
                **self._pulse.look(self.info.figures()),
                "createdInAMinute": self.book.created_in_a_minute(),
                "running": len(running),
            }
        )
        await letter.add("calls", running[:MAX_ROWS], CallRecord.row)
        await letter.add("ended", self.book.ended(), CallRecord.row)
        return letter.close()


def together(told: Mapping[int, bytes], version: str) -> bytes:
    """What all processes tell."""
    head = msgspec.json.encode({"now": time.time(), "version": version})[:-1]
    workers = b",".join(read(letter) for _, letter in sorted(told.items()))
    return head + b',"workers":[' + workers + b"]}"
