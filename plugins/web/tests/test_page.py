"""What the page is made of."""

import re
from pathlib import Path

import pytest
from glottis_web import demo_pages

PAGES = demo_pages()
TEXTS = {path: page.content.decode() for path, page in PAGES.items()}
SOURCES = Path(__file__).parents[1] / "javascript" / "page"


def test_the_home_page_is_html() -> None:
    assert PAGES["/"].media_type == "text/html; charset=utf-8"
    assert TEXTS["/"].startswith("<!doctype html>")


def test_everything_that_a_file_asks_for_is_served() -> None:
    asked = set(re.findall(r'(?:href|src)="([^"]+)"', TEXTS["/"]))
    asked |= {f"/demo/{name}" for name in re.findall(r'from"\./([^"]+)"', TEXTS["/demo/page.js"])}
    asked |= set(re.findall(r'"(/demo/[^"]+)"', TEXTS["/demo/page.js"]))
    assert asked == PAGES.keys() - {"/"}


@pytest.mark.parametrize("path", PAGES)
def test_nothing_comes_from_elsewhere_or_is_inline(path: str) -> None:
    text = TEXTS[path].replace("http://www.w3.org/2000/svg", "").replace("http://localhost", "")
    assert not re.search(r'(?:src|href)="https?:|url\(|@import', text)
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=\"|<script(?![^>]*\ssrc=)", text)


def test_every_element_that_the_scripts_look_up_exists() -> None:
    wanted = {
        name
        for source in SOURCES.glob("*.ts")
        for name in re.findall(r'\$(?:<\w+>)?\("([a-z-]+)"\)', source.read_text())
    }
    assert wanted <= set(re.findall(r'\sid="([a-z-]+)"', TEXTS["/"]))
    assert len(wanted) > 15


def test_each_control_has_a_name_for_who_does_not_see_it() -> None:
    page = re.sub(r"<svg.*?</svg>", "", TEXTS["/"])
    for attributes, words in re.findall(r"<button([^>]*)>(.*?)</button>", page, re.DOTALL):
        assert "aria-label" in attributes or re.search(r"\w", re.sub("<[^>]*>", "", words)), attributes
    labelled = set(re.findall(r'<label[^>]*\sfor="([a-z-]+)"', page))
    for label in re.findall(r"<label.*?</label>", page, re.DOTALL):
        labelled |= set(re.findall(r'<(?:input|select)[^>]*\sid="([a-z-]+)"', label))
    assert labelled == set(re.findall(r'<(?:input|select)[^>]*\sid="([a-z-]+)"', page))
