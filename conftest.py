"""What holds for every test: markers by folder, an order, and the standard library's ``codecs`` in its place."""

import codecs
from pathlib import Path

import pytest

ROOT = Path(__file__).parent
FOLDERS = {ROOT / "tests" / "browser": "browser", ROOT / "tests" / "interop": "interop"}

# pytest names a test module by its path from here: codecs/opus/tests/test_opus.py becomes a child of ``codecs``. What
# sys.modules holds under that name would be replaced if it were no package; so it is said to be one.
codecs.__path__ = []


@pytest.hookimpl(tryfirst=True)  # before xdist looks for groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by their folders, and put those with other programs in them last, one after the other.

    Where tests run in several processes, browsers and other stacks are thus in one of them, with the machine to
    themselves once the rest is done (``--dist loadgroup --no-loadscope-reorder``).
    """
    for item in items:
        for folder, marker in FOLDERS.items():
            if folder in item.path.parents:
                item.add_marker(marker)
        if _needs_others(item):
            item.add_marker(pytest.mark.xdist_group("others"))
    items.sort(key=_needs_others)


def _needs_others(item: pytest.Item) -> bool:
    return any(item.get_closest_marker(marker) for marker in FOLDERS.values())
