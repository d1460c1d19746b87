"""Static pages that a plugin lets the gateway serve, such as the demo page."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from glottis.contracts.checks import bytes_of, check_name

RESERVED_PATHS: Final = ("/api/", "/ws/", "/healthz", "/readyz")
"""The gateway's own, and what is below them where they end with a slash: no page can be there."""


@dataclass(frozen=True, slots=True)
class Page:
    """One static resource: its bytes (any buffer of them) and media type (with charset, for text)."""

    content: bytes
    media_type: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "content", bytes_of("Page.content", self.content))
        check_name("Page.media_type", self.media_type)


@dataclass(frozen=True, slots=True)
class PagesSpec:
    """Pages as ``register_pages`` returns them; configuration enables them by ``name``.

    ``pages`` maps absolute URL paths (``/``, ``/demo.js``), percent-encoded, to what is served there, on GET and HEAD.
    """

    name: str
    pages: Mapping[str, Page]
