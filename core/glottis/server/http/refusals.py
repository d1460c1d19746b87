"""What is counted of refused requests, and logged: a line each, as long as a log can bear it."""

import logging
from collections import Counter
from typing import Final

from glottis.server.http.message import Request, Response
from glottis.server.http.rate_limit import RateLimiter
from glottis.wire.token_bucket import TokenBucket

LINES_PER_CLIENT: Final = 10
"""In a row and in a minute: enough to see what is wrong, and one client cannot hide another's."""
LINES: Final = 100
"""The same, of all clients together."""
MAX_REQUEST_LINE: Final = 128
"""Characters of method and path that are logged."""
MAX_CODES: Final = 64
"""The gateway has fewer; an auth scheme or a route of a plugin's may make up its own."""
OTHER: Final = "other"
_LOGGED_ELSEWHERE: Final = 500
"""Errors of our own come with a traceback."""

logger = logging.getLogger(__name__)


class Refusals(Counter[str]):
    """Requests that came to nothing, by the code that their clients were told."""

    def note(self, code: str) -> None:
        """One more."""
        self[code if code in self or len(self) < MAX_CODES else OTHER] += 1


class RefusalLog:
    """Counts the lines that it leaves out, and tells their number in the next one; ``refusals`` counts all of them."""

    def __init__(self, refusals: Refusals | None = None) -> None:
        self.refusals = Refusals() if refusals is None else refusals
        self._clients = RateLimiter(per_minute=LINES_PER_CLIENT, burst=LINES_PER_CLIENT)
        self._all = TokenBucket(LINES / 60, LINES, 0.0)
        self._left_out = 0

    def note(self, request: Request | None, response: Response, peer_host: str, now: float) -> None:
        """Count and log a response that refuses; ``request`` is None if its head could not be read.

        Whatever its status is, one with a code does: there are clients that look for errors in the body alone.
        """
        if response.status < 400 and not response.code:
            return
        self.refusals.note(response.code or f"HTTP_{response.status}")
        if response.status == _LOGGED_ELSEWHERE:
            return
        client_host = peer_host if request is None else request.client_host
        what = "malformed request" if request is None else f"{request.method} {request.shown_path}"[:MAX_REQUEST_LINE]
        more = f": {response.logged}" if response.logged else ""
        line = f"{response.status} {response.code or 'refused'}: {what} from {client_host}{more}"
        self.note_line(line, client_host, now)

    def note_line(self, line: str, client_host: str, now: float, level: int = logging.INFO) -> None:
        """Log any line about what this client was refused."""
        if self._clients.take(client_host, now) or self._all.take(now):
            self._left_out += 1
            return
        logger.log(level, "%s%s", line, f" ({self._left_out} more were left out)" if self._left_out else "")
        self._left_out = 0
