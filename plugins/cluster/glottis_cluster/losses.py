"""What the log hears of nodes that are lost. One that starves is lost and there again, many times: it has two lines."""

import logging
from dataclasses import dataclass
from typing import Final

import trio

CALM: Final = 600.0
"""Seconds for which a node has to have stayed, until it is told again that it is lost."""
MOST: Final = 256
"""Nodes that are remembered; beyond, the one that was lost longest ago is forgotten."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Loss:
    at: float
    times: int
    """In a row, without ``CALM`` between them."""


class Losses:
    """Those that this process was the first to notice."""

    def __init__(self) -> None:
        self._last: dict[str, _Loss] = {}

    def note(self, node: str, sessions: int) -> None:
        """A node is lost, and so many sessions have ended with it."""
        now, before = trio.current_time(), self._last.pop(node, None)
        times = before.times + 1 if before is not None and now - before.at < CALM else 1
        self._last[node] = _Loss(now, times)
        if len(self._last) > MOST:
            del self._last[next(iter(self._last))]
        if times == 1:
            logger.warning("node %s is lost; sessions that have ended with it: %d", node, sessions)
        elif times == 2:
            told = (
                "node %s was there again, and is lost once more, with %d sessions: it has too little processor time "
                "or its network breaks; it is not told again until %.0f minutes after the last time"
            )
            logger.warning(told, node, sessions, CALM / 60)
