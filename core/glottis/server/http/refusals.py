"""What is logged of refused requests: a line each, as long as a log can bear it."""

import logging
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
_LOGGED_ELSEWHERE: Final = 500
"""Errors of our own come with a traceback."""

logger = logging.getLogger(__name__)


class RefusalLog:
    """Counts the lines that it leaves out, and tells their number in the next one."""

    def __init__(self) -> None:
        self._clients = RateLimiter(per_minute=LINES_PER_CLIENT, burst=LINES_PER_CLIENT)
        self._all = TokenBucket(LINES / 60, LINES, 0.0)
        self._left_out = 0

    def note(self, request: Request | None, response: Response, peer_host: str, now: float) -> None:
        """Log a response that refuses; ``request`` is None if its head could not be read."""
        if response.status < 400 or response.status == _LOGGED_ELSEWHERE:
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
