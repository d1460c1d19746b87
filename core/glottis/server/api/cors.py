"""Cross-origin requests of configured web pages (WHATWG Fetch, CORS protocol)."""

import re
from typing import Final

from glottis.config.origins import Origin, parse_origin_untrusted
from glottis.contracts.errors import Malformed
from glottis.server.api.origins import Origins
from glottis.server.http.message import Request, Response
from glottis.server.http.problem import Problem

PREFLIGHT_MAX_AGE: Final = 600
"""Seconds for which a browser may remember a preflight's answer."""
EXPOSED: Final = "accept-patch, accept-post, etag, link, location, retry-after, www-authenticate, x-request-id"
"""Response headers that pages may read, beside those that any may."""
_HEADER_NAMES: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+(?:\s*,\s*[A-Za-z0-9!#$%&'*+.^_`|~-]+)*")
_WEBSOCKET_SCHEMES: Final = {"http": "ws", "https": "wss"}


class CorsPolicy:
    """Lets the gateway's own pages and those of the allowed origins call the API, with what their auth scheme needs.

    ``public_url`` is where the gateway is for the public; None: wherever a request came to.
    """

    def __init__(self, origins: Origins, public_url: Origin | None = None) -> None:
        self._origins = origins
        self._public_url = public_url

    def check(self, request: Request) -> None:
        """Raise ``Problem`` 403 for a page of another origin: a browser would run the request all the same."""
        if not self._allows(request):
            raise _refusal(request)

    def websocket_base_url(self, request: Request) -> str:
        """Where the page or other client that sent a request may open WebSockets: scheme and host.

        That is the public URL, except for the gateway's own pages under another name. These would be strangers there,
        and can open them where they came from, by the scheme that they came by.
        """
        page, public_url = _page(request), self._public_url
        if public_url and (page is None or self._origins.allows(page, public_url.authority)):
            base = public_url
        elif page is not None and page.is_at(request.host):
            base = page
        else:
            return f"{_WEBSOCKET_SCHEMES[request.scheme]}://{request.host}"
        return f"{_WEBSOCKET_SCHEMES[base.scheme]}://{base.authority}"

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
            ("access-control-allow-origin", origin),
            ("access-control-expose-headers", EXPOSED),
        )

    def _allows(self, request: Request) -> bool:
        """Also a client that is no page, such as a device: it sends no ``Origin``."""
        if "origin" not in request.headers:
            return True
        page, public_url = _page(request), self._public_url
        hosts = [request.host, *([public_url.authority] if public_url else [])]
        return page is not None and any(self._origins.allows(page, host) for host in hosts)


def _page(request: Request) -> Origin | None:
    """The origin of the page that sent a request; None if it is no page's, or of several origins."""
    try:
        return parse_origin_untrusted(request.headers.get("origin", ""))
    except Malformed:
        return None


def _refusal(request: Request) -> Problem:
    """Says what would let the page in. It is told to the log too: browsers keep it from the page."""
    page = _page(request)
    if page is None:
        return Problem(403, "ORIGIN_NOT_ALLOWED", "Send one origin as browsers do, such as https://app.example.")
    advice = f'Add "{page}" to server.allowed_origins of the gateway'
    if page.is_of_the_web:
        advice += ", or, if it is where the gateway itself is for the public, make it the server.public_url"
    return Problem(
        403, "ORIGIN_NOT_ALLOWED", f"{advice}.", logged=f"a page of {page} called {request.host or 'no host'}: {advice}"
    )
