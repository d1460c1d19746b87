"""What a plugin's pages must be like for the gateway to serve them."""

import re
from collections.abc import Mapping
from typing import Final

from glottis.contracts.pages import RESERVED_PATHS, Page

_PATH: Final = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*")
"""An absolute path (RFC 3986 §3.3) as requests have it, percent-encoded; no query and no fragment."""
_MEDIA_TYPE: Final = re.compile(r"[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+(?: *;[ -~]*)?")
"""RFC 9110 §8.3.1, and for its parameters whatever is harmless in a header."""


def complaint_about_pages(pages: object) -> str | None:
    """What is wrong with ``PagesSpec.pages``; None if nothing is."""
    if not isinstance(pages, Mapping):
        return f"pages of type {type(pages).__name__}, expected a mapping"
    complaints = (_complaint_about_path(path) or _complaint_about_page(path, page) for path, page in pages.items())
    return next(filter(None, complaints), None)


def _complaint_about_path(path: object) -> str | None:
    if not isinstance(path, str) or not _PATH.fullmatch(path):
        return f"the path {path!r}, expected an absolute one, percent-encoded and without a query"
    if any(path == reserved or (reserved.endswith("/") and path.startswith(reserved)) for reserved in RESERVED_PATHS):
        return f"the path {path}, which is the gateway's own"
    return None


def _complaint_about_page(path: str, page: object) -> str | None:
    if not isinstance(page, Page):
        return f"a {type(page).__name__} at {path}, expected a Page"
    content: object = page.content
    media_type: object = page.media_type
    if not isinstance(content, bytes):
        return f"content of type {type(content).__name__} at {path}, expected bytes"
    if not isinstance(media_type, str) or not _MEDIA_TYPE.fullmatch(media_type):
        return f"the media type {media_type!r} at {path}, expected one such as text/html; charset=utf-8"
    return None
