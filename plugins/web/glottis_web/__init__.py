"""The pages ``client`` and ``demo``: the library with which web pages call the gateway, and a page that is built on it.

Both are compiled from ``javascript/``.
"""

from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import PurePath
from typing import Final

from glottis import Page, PagesSpec, hookimpl

CLIENT: Final = {f"/client/{name}": f"client/{name}" for name in ("glottis.js", "index.js", "worklets.js")}
"""For ``<script src>``, for ``import``, and what both load where a page's policy forbids ``blob:`` scripts."""
DEMO: Final = {
    "/": "page/index.html",
    "/demo/page.js": "page/page.js",
    "/demo/page.css": "page/page.css",
    "/demo/icon.svg": "page/icon.svg",
    "/demo/client.js": "client/index.js",
    "/demo/worklets.js": "client/worklets.js",
}
"""The page needs nothing of the other set."""
MEDIA_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


def client_pages() -> dict[str, Page]:
    """The library by its URL paths, all below ``/client/``."""
    return _pages(CLIENT)


def demo_pages() -> dict[str, Page]:
    """The page ``/``, and what it loads, all below ``/demo/``."""
    return _pages(DEMO)


@hookimpl
def register_pages() -> Sequence[PagesSpec]:
    """Both sets."""
    return [PagesSpec("client", client_pages()), PagesSpec("demo", demo_pages())]


def _pages(files: Mapping[str, str]) -> dict[str, Page]:
    folder = resources.files(__name__) / "static"
    return {
        path: Page((folder / file).read_bytes(), MEDIA_TYPES[PurePath(file).suffix]) for path, file in files.items()
    }
