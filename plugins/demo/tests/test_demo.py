import re

import pytest
from glottis_demo import pages, register_pages

PAGES = pages()
TEXTS = {path: page.content.decode() for path, page in PAGES.items()}


def test_the_home_page_is_html() -> None:
    [spec] = register_pages()
    assert spec.pages["/"].media_type == "text/html; charset=utf-8"
    assert spec.pages["/"].content.startswith(b"<!doctype html>")


def test_everything_that_a_file_asks_for_is_served() -> None:
    asked = set(re.findall(r'(?:href|src)="([^"]+)"', TEXTS["/"]))
    asked |= {f"/demo/{name}" for text in TEXTS.values() for name in re.findall(r'from "\./([^"]+)"', text)}
    assert asked == PAGES.keys() - {"/"}


@pytest.mark.parametrize("path", PAGES)
def test_nothing_comes_from_elsewhere_or_is_inline(path: str) -> None:
    text = TEXTS[path].replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert not re.search(r"https?://|wss?://|//[a-z]+\.", text)
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=\"|<script(?![^>]*\ssrc=)", text)


def test_every_element_that_the_script_looks_up_exists() -> None:
    wanted = set(re.findall(r'\$\("([a-z-]+)"\)', TEXTS["/demo/page.js"]))
    wanted |= {f"stat-{name}" for name in re.findall(r'^    "([a-z-]+)":', TEXTS["/demo/statistics.js"], re.MULTILINE)}
    assert wanted <= set(re.findall(r'\sid="([a-z-]+)"', TEXTS["/"]))
    assert len(wanted) > 15
