"""A page with ``@glottis/client`` whose only network goes down, and comes up with another address."""

import os
from pathlib import Path

import pytest
from support.moved_page import move_page

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
]


SOON = 1.0
"""Seconds from the moment that there is a network again."""
CALLS = 3
"""One of them has to have found the machine at leisure."""


@pytest.mark.parametrize(("browser", "away"), [("chromium", 1), ("chromium", 2), ("chromium", 4), ("firefox", 2)])
async def test_a_page_that_loses_its_network_talks_on_by_another(browser: str, away: float, tmp_path: Path) -> None:
    for call in range(CALLS):
        (tmp_path / str(call)).mkdir()
        moved = await move_page(browser, tmp_path / str(call), away)
        print(
            f"the page hears {moved.heard:.2f} s after the new network is there, and is heard after {moved.spoke:.2f} s"
        )
        assert moved.told["states"][-2:] == ["reconnecting", "active"]
        if max(moved.heard, moved.spoke) < SOON:
            return
    raise AssertionError(f"none of {CALLS} calls went on within {SOON} s")
