import gzip

from glottis_web import client_pages

LIMIT = 12 * 1024


def test_the_library_is_small() -> None:
    pages = client_pages()
    assert set(pages) == {"/client/glottis.js", "/client/index.js", "/client/worklets.js"}
    assert all(len(gzip.compress(page.content)) < LIMIT for page in pages.values())
