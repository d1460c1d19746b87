from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from glottis.server.gateway import Gateway
from support.audio import SPEECH
from support.chromium import Page, open_chromium
from support.gateway import open_test_gateway


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    async with open_test_gateway(tmp_path) as gateway:
        yield gateway


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Page]:
    """A tab whose microphone plays the speech file in a loop."""
    async with open_chromium(tmp_path / "chromium", SPEECH) as browser:
        yield await browser.new_page()
