"""The pages ``demo``: one button calls the gateway from the browser, without anything from elsewhere."""

from collections.abc import Sequence
from importlib import resources
from pathlib import PurePath
from typing import Final

from glottis import Page, PagesSpec, hookimpl

HOME: Final = "index.html"
"""Served at ``/``; every other file below ``/demo/``."""
MEDIA_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


def pages() -> dict[str, Page]:
    """Every file of the folder ``static`` by its URL path."""
    files = (resources.files(__name__) / "static").iterdir()
    return {
        "/" if file.name == HOME else f"/demo/{file.name}": Page(
            file.read_bytes(), MEDIA_TYPES[PurePath(file.name).suffix]
        )
        for file in files
    }


@hookimpl
def register_pages() -> Sequence[PagesSpec]:
    """The pages ``demo``."""
    return [PagesSpec("demo", pages())]
