"""The pages ``client``: the library with which web pages call the gateway (``javascript/``), compiled."""

from collections.abc import Sequence
from importlib import resources
from typing import Final

from glottis import Page, PagesSpec, hookimpl

FILES: Final = ("glottis.js", "index.js", "worklets.js")
"""For ``<script src>``, for ``import``, and what both load where a page's policy forbids ``blob:`` scripts."""


def client_pages() -> dict[str, Page]:
    """The library by its URL paths, all below ``/client/``."""
    folder = resources.files(__name__) / "static" / "client"
    return {f"/client/{name}": Page((folder / name).read_bytes(), "text/javascript; charset=utf-8") for name in FILES}


@hookimpl
def register_pages() -> Sequence[PagesSpec]:
    """The pages ``client``."""
    return [PagesSpec("client", client_pages())]
