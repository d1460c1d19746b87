"""What a plugin's pages must be like for the gateway to serve them."""

import re
from collections.abc import Mapping
from typing import Final

from glottis.contracts.pages import RESERVED_PATHS, Page

_PATH: Final = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*")
"""An absolute path (RFC 3986 §3.3) as requests have it, percent-encoded; no query and no fragment."""
MEDIA_TYPE: Final = re.compile(r"[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+(?: *;[ -~]*)?")
"""RFC 9110 §8.3.1, and for its parameters whatever is harmless in a header."""


def check_pages(pages: object) -> None:
    """Raises ``ValueError`` for the first of ``PagesSpec.pages`` that cannot be served."""
    if not isinstance(pages, Mapping):
        raise ValueError(f"pages of type {type(pages).__name__}, expected a mapping")
    for path, page in pages.items():
        _check_path(path)
        if not isinstance(page, Page):
            raise ValueError(f"a {type(page).__name__} at {path}, expected a Page")
        if not MEDIA_TYPE.fullmatch(page.media_type):
            raise ValueError(f"the media type {page.media_type!r} at {path}, expected one such as text/html")


def _check_path(path: object) -> None:
    if not isinstance(path, str) or not _PATH.fullmatch(path):
        raise ValueError(f"the path {path!r}, expected an absolute one, percent-encoded and without a query")
    if any(path == reserved or (reserved.endswith("/") and path.startswith(reserved)) for reserved in RESERVED_PATHS):
        raise ValueError(f"the path {path}, which is the gateway's own")
