"""Cross-origin requests of configured web pages (WHATWG Fetch, CORS protocol)."""

import re
from typing import Final

from glottis.server.http.message import Request, Response
from glottis.server.http.origins import Origins
from glottis.server.http.problem import Problem

PREFLIGHT_MAX_AGE: Final = 600
"""Seconds for which a browser may remember a preflight's answer."""
_HEADER_NAMES: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+(?:\s*,\s*[A-Za-z0-9!#$%&'*+.^_`|~-]+)*")


class CorsPolicy:
    """Lets pages of the allowed origins call the API, with the headers that their auth scheme needs.

    ``public_host`` is a name that the gateway has beside the one that a request came to.
    """

    def __init__(self, origins: Origins, public_host: str = "") -> None:
        self._origins = origins
        self._public_host = public_host

    def check(self, request: Request) -> None:
        """Raise ``Problem`` 403 for a page of another origin: a browser would run the request all the same."""
        if not self._allows(request):
            raise Problem(403, "ORIGIN_NOT_ALLOWED", "Add the page's origin to server.allowed_origins of the gateway.")

    def preflight(self, request: Request, methods: str) -> Response:
        """The answer to an OPTIONS request for a resource with these methods."""
        self.check(request)
        headers = [("allow", methods)]
        if "access-control-request-method" in request.headers:
            headers.append(("access-control-allow-methods", methods))
            headers.append(("access-control-max-age", str(PREFLIGHT_MAX_AGE)))
            wanted = request.headers.get("access-control-request-headers", "")
            if _HEADER_NAMES.fullmatch(wanted):
                headers.append(("access-control-allow-headers", wanted))
        return Response(204, tuple(headers))

    def mark(self, request: Request, response: Response) -> Response:
        """The response, readable by the page that asked, if its origin is allowed."""
        origin = request.headers.get("origin")
        response = response.with_headers(("vary", "origin"))
        if origin is None or not self._allows(request):
            return response
        return response.with_headers(
            ("access-control-allow-origin", origin), ("access-control-expose-headers", "retry-after, www-authenticate")
        )

    def _allows(self, request: Request) -> bool:
        origin = request.headers.get("origin")
        return any(self._origins.allows(origin, host) for host in (request.host, self._public_host))
