"""What holds for every test: markers by folder, and the standard library's ``codecs`` in its place."""

import codecs
from pathlib import Path
from typing import Final

import pytest

TESTS: Final = Path(__file__).parent / "tests"
ENGINES: Final = ("wire", "sdp", "ice", "dtls", "rtp", "sctp", "peer")
FOLDERS: Final = {
    TESTS / "browser": "browser",
    TESTS / "interop": "interop",
    **{TESTS / engine: "engine" for engine in ENGINES},
}

# pytest names a test module by its path from here: codecs/opus/tests/test_opus.py becomes a child of ``codecs``. What
# sys.modules holds under that name would be replaced if it were no package; so it is said to be one.
codecs.__path__ = []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by their folders."""
    for item in items:
        for folder, marker in FOLDERS.items():
            if folder in item.path.parents:
                item.add_marker(marker)
