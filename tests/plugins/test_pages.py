import re
from typing import Any

import pytest
from glottis import Page, PagesSpec, PluginError, hookimpl
from glottis.plugins import load_plugins

PAGE = Page(b"<!doctype html>", "text/html; charset=utf-8")


class Publisher:
    def __init__(self, pages: Any) -> None:
        self._pages = pages

    @hookimpl
    def register_pages(self) -> list[PagesSpec]:
        return [PagesSpec("site", self._pages)]


@pytest.mark.parametrize("path", ["/", "/demo/page.js", "/caf%C3%A9", "/apis", "/healthz.html"])
def test_pages_at_absolute_paths_are_taken(path: str) -> None:
    registry = load_plugins([Publisher({path: PAGE, "/x": Page(b"", "image/svg+xml")})], installed=[])
    assert registry.pages.names == ["site"]


@pytest.mark.parametrize(
    ("pages", "complaint"),
    [
        (None, "pages of type NoneType, expected a mapping"),
        ([("/", PAGE)], "pages of type list, expected a mapping"),
        *(
            ({"/": PAGE, path: PAGE}, f"the path {path!r}, expected an absolute one")
            for path in ("demo.js", "", "/a?b", "/a#b", "/a b", "/café", "https://a/", 7)
        ),
        *(
            ({path: PAGE}, f"the path {path}, which is the gateway's own")
            for path in ("/healthz", "/readyz", "/api/x", "/ws/session/s/webrtc")
        ),
        ({"/": b"<!doctype html>"}, "a bytes at /, expected a Page"),
        ({"/": Page(b"", "text/html; é")}, "the media type 'text/html; é' at /, expected one"),
        ({"/": Page(b"", "html")}, "the media type 'html' at /, expected one such as text/html"),
    ],
)
def test_pages_that_cannot_be_served_are_the_plugins_fault(pages: Any, complaint: str) -> None:
    with pytest.raises(PluginError, match=rf"^plugin Publisher .*'site' with {re.escape(complaint)}"):
        load_plugins([Publisher(pages)], installed=[])


def test_pages_are_what_they_were_when_they_were_checked() -> None:
    class Leaflet(Page):
        """A page of the plugin's own kind."""

    pages = {"/": Leaflet(b"", "text/html")}
    registry = load_plugins([Publisher(pages)], installed=[])
    pages["/api/"] = pages["/"]
    taken = registry.pages.find("site").spec.pages
    assert taken == {"/": Page(b"", "text/html")}
    assert {type(page) for page in taken.values()} == {Page}
