"""A page with ``@glottis/client`` whose only network goes down, and comes up with another address."""

import os
from pathlib import Path

import pytest
from support.moved_page import BROWSERS, move_page

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
]


@pytest.mark.parametrize("browser", BROWSERS)
async def test_a_page_that_loses_its_network_talks_on_by_another(browser: str, tmp_path: Path) -> None:
    moved = await move_page(browser, tmp_path)
    print(f"the page hears {moved.heard:.2f} s after the new network is there, and is heard after {moved.spoke:.2f} s")
    assert moved.told["states"][-2:] == ["reconnecting", "active"]
    assert moved.told["peers"] == 1
