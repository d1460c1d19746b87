"""Why sessions have fared as they did whose workers have left since: for who asks soon after a reload."""

from collections import OrderedDict
from typing import Final, NamedTuple

MAX_KEPT: Final = 512
MAX_KEPT_BYTES: Final = 4 * 1024 * 1024


class Past(NamedTuple):
    """A session that has ended: whose it was, and the page of its trace."""

    principal: str
    page: bytes
    until: float
    """When it is forgotten."""


class Archive:
    """The newest ones. Time is an argument."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Past] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, session_id: str, past: Past) -> None:
        """As long as there is room."""
        self._drop(session_id)
        self._kept[session_id] = past
        self._bytes += len(past.page)
        while len(self._kept) > MAX_KEPT or self._bytes > MAX_KEPT_BYTES:
            self._drop(next(iter(self._kept)))

    def find(self, session_id: str, now: float) -> Past | None:
        """None if there is none, or none any more."""
        past = self._kept.get(session_id)
        return past if past is not None and now < past.until else None

    def _drop(self, session_id: str) -> None:
        if (past := self._kept.pop(session_id, None)) is not None:
            self._bytes -= len(past.page)
