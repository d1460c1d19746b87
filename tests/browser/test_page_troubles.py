"""What keeps a call from coming about is told in words, with its remedy, within two seconds of the page's clock."""

import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
import trio
from glottis.media.interfaces import media_addresses
from glottis.server.gateway import Gateway
from glottis.testing.impairments import Impairments
from support.browser import Page
from support.command import Command, open_command
from support.gateway import CONFIG, open_test_gateway
from support.lossy import lossy_endpoint
from support.page_clock import LIMIT_MS, press_and_read
from support.patience import PROCESS_PATIENCE

OpenPage = Callable[[], AbstractAsyncContextManager[Page]]

DEMO = Path(__file__).parents[2] / "demo.toml"
REFUSE = """
    navigator.mediaDevices.getUserMedia = () =>
        Promise.reject(new DOMException("Permission denied", "NotAllowedError"));
"""


@pytest.fixture
async def page(browser: OpenPage) -> AsyncIterator[Page]:
    async with browser() as page:
        with trio.fail_after(PROCESS_PATIENCE):
            yield page


async def visit(page: Page, url: str) -> None:
    await page.goto(url)
    await page.wait_for("!document.getElementById('call').disabled")


async def told(page: Page, words: str) -> str:
    """What the page says after the button was pressed, with these words in it and in time."""
    milliseconds, said = await press_and_read(page, words)
    assert milliseconds <= LIMIT_MS
    return said


async def test_a_refused_microphone(page: Page, gateway: Gateway) -> None:
    await visit(page, gateway.url)
    await page.run_script(REFUSE)
    assert "Allow it by the icon" in await told(page, "The microphone was refused.")


async def test_blocked_udp(page: Page, tmp_path: Path) -> None:
    """None of it comes to the gateway, on any of the machine's addresses: Firefox goes from there to there only."""
    addresses = [*media_addresses([], "0.0.0.0"), "127.0.0.1"]
    with lossy_endpoint(Impairments(loss=1.0), addresses) as endpoint:
        async with open_test_gateway(tmp_path, endpoint=endpoint) as gateway:
            await visit(page, gateway.url)
            said = await told(page, "UDP is probably blocked on the way.")
            await gateway.stop(grace=0)
    assert "Open the gateway's UDP ports" in said


async def test_another_host_name(page: Page, tmp_path: Path) -> None:
    config = CONFIG.replace("[server]", '[server]\npublic_url = "https://voice.invalid"')
    async with open_test_gateway(tmp_path, config) as gateway:
        await visit(page, gateway.url)
        said = await told(page, "The WebSocket to voice.invalid could not be opened")
        await gateway.stop(grace=0)
    assert f"from this page of {gateway.url}. " in said
    assert "whether the host can be reached" in said


@pytest.fixture
async def command(page: Page) -> AsyncIterator[Command]:
    """A gateway in a process of its own, whose page is open."""
    async with open_command("serve", "--config", DEMO, env={"GLOTTIS_SERVER__PORT": "0"}) as command:
        url = (await command.wait_for(r"serves (http://\S+)"))[1]
        await visit(page, f"{url}/?campaign=echo")
        yield command
        command.process.kill()


async def test_a_gateway_that_was_stopped(page: Page, command: Command) -> None:
    command.process.kill()
    await command.process.wait()
    assert "See whether it runs" in await told(page, "cannot be reached.")


async def test_a_gateway_that_does_not_answer(page: Page, command: Command) -> None:
    command.process.send_signal(signal.SIGSTOP)
    await told(page, "does not answer yet")
