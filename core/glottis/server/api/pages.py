"""Static pages (contracts.pages) with validators and the headers that keep a page harmless."""

import hashlib
from collections.abc import Mapping
from typing import Final

from glottis.contracts.pages import Page
from glottis.server.http.message import Request, Response

_SECURITY_HEADERS: Final = (
    # Scripts and styles come from the gateway alone; a session's WebSocket may be at its public URL.
    (
        "content-security-policy",
        "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; media-src 'self' blob:; "
        "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("permissions-policy", "camera=(), geolocation=(), microphone=(self)"),
    ("referrer-policy", "no-referrer"),
)


class StaticPages:
    """Pages by their path. Browsers ask each time whether a page has changed (RFC 9111 §5.2.2.4)."""

    def __init__(self, pages: Mapping[str, Page]) -> None:
        self._pages = {path: (page, _entity_tag(page)) for path, page in pages.items()}

    def __contains__(self, path: str) -> bool:
        return path in self._pages

    async def get(self, request: Request) -> Response:
        """The page at the request's path, which must be there, or a 304 if the client has it."""
        page, entity_tag = self._pages[request.path]
        headers = (("etag", entity_tag), ("cache-control", "no-cache"), *_SECURITY_HEADERS)
        if _matches(request.headers.get("if-none-match", ""), entity_tag):
            return Response(304, headers)
        return Response(200, (("content-type", page.media_type), *headers), page.content)


def _entity_tag(page: Page) -> str:
    return f'"{hashlib.sha256(page.content).hexdigest()[:32]}"'


def _matches(condition: str, entity_tag: str) -> bool:
    """The weak comparison of ``If-None-Match`` (RFC 9110 §13.1.2)."""
    candidates = [candidate.strip().removeprefix("W/") for candidate in condition.split(",")]
    return entity_tag in candidates or candidates == ["*"]
