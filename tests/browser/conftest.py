import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from glottis.server.gateway import Gateway
from support.audio import SPEECH
from support.browser import Page
from support.chromium import BROWSER, open_chromium_page, run_chromium
from support.firefox import open_firefox_page, run_firefox
from support.gateway import open_test_gateway
from support.sound_card import open_sound_card

CALLER = Path(__file__).with_name("call.js").read_text()
SPEECH_URL = "data:audio/wav;base64," + base64.b64encode(SPEECH.read_bytes()).decode()

OpenPage = Callable[[], AbstractAsyncContextManager[Page]]


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenPage]:
    """A process for all tests: its microphone plays the speech file in a loop."""
    with run_chromium(tmp_path_factory.mktemp("chromium"), SPEECH) as url:
        yield lambda: open_chromium_page(url)


@pytest.fixture(scope="session")
def deaf_chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenPage]:
    """A process without a microphone."""
    with run_chromium(tmp_path_factory.mktemp("deaf-chromium"), None) as url:
        yield lambda: open_chromium_page(url)


@pytest.fixture(scope="session")
def firefox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenPage]:
    """A process for all tests: its microphone is a tone."""
    with run_firefox(tmp_path_factory.mktemp("firefox")) as url:
        yield lambda: open_firefox_page(url)


@pytest.fixture(scope="session")
def audible_firefox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenPage]:
    """The same with a sound card: no AudioContext runs without one."""
    with (
        open_sound_card(tmp_path_factory.mktemp("sound-card")) as card,
        run_firefox(tmp_path_factory.mktemp("firefox"), card) as url,
    ):
        yield lambda: open_firefox_page(url)


@pytest.fixture(params=["chromium", "firefox"])
def browser(request: pytest.FixtureRequest) -> OpenPage:
    """Each browser in turn."""
    opener: OpenPage = request.getfixturevalue(request.param)
    return opener


@pytest.fixture(params=["chromium", "audible_firefox"])
def audible_browser(request: pytest.FixtureRequest) -> OpenPage:
    """For what needs an AudioContext; Chromium has one anywhere."""
    opener: OpenPage = request.getfixturevalue(request.param)
    return opener


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    async with open_test_gateway(tmp_path) as gateway:
        yield gateway
        await gateway.stop(grace=0)


@pytest.fixture
async def page(browser: OpenPage, gateway: Gateway) -> AsyncIterator[Page]:
    """A tab of the gateway's origin, with ``Call`` and ``Channel`` of ``call.js``."""
    async with browser() as page:
        await prepare(page, gateway)
        yield page


async def prepare(page: Page, gateway: Gateway) -> None:
    await page.goto(f"{gateway.url}/healthz")
    await page.run_script(f"{CALLER}\nconst SPEECH = '{SPEECH_URL}';")


@pytest.fixture
def prepare_page() -> Callable[[Page, Gateway], Awaitable[None]]:
    """For tests that open tabs themselves."""
    return prepare


@pytest.fixture
async def chromium_page(chromium: OpenPage) -> AsyncIterator[Page]:
    async with chromium() as page:
        yield page


@pytest.fixture
async def whole_chromium_page(tmp_path: Path) -> AsyncIterator[Page]:
    """Of what people have. It knows devices again by their ids; the others do not."""
    with run_chromium(tmp_path / "whole-chromium", SPEECH, program=BROWSER) as url:
        async with open_chromium_page(url) as page:
            yield page
