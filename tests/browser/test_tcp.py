"""Real browsers whose UDP gets nowhere: they connect to the gateway's TCP port."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio
from glottis.media.interfaces import media_addresses
from glottis.server.gateway import Gateway
from glottis.testing.impairments import Impairments
from support.browser import Page
from support.gateway import CONFIG, open_test_gateway
from support.lossy import lossy_endpoint
from support.patience import PROCESS_PATIENCE


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    """On the machine's own addresses, too: Firefox connects from there, and from there nowhere to loopback."""
    addresses = [*media_addresses([], "0.0.0.0"), "127.0.0.1"]
    config = f"{CONFIG}\n[media]\ntcp_port = 0\n"
    with lossy_endpoint(Impairments(loss=1.0), addresses) as endpoint:
        async with open_test_gateway(tmp_path, config, endpoint=endpoint) as gateway:
            yield gateway
            await gateway.stop(grace=0)


async def test_texts_and_media_go_by_tcp(page: Page, gateway: Gateway) -> None:
    with trio.fail_after(PROCESS_PATIENCE):
        text = await page.evaluate(
            """(async () => {
                globalThis.call = await Call.create();
                await call.speak();
                const chat = call.open('chat');
                await call.negotiate();
                await chat.next();
                chat.send('hello by TCP');
                return await chat.next();
            })()"""
        )
    assert text == "hello by TCP"
    assert len(gateway.streams) >= 1
    assert gateway.counts().streams_refused == 0
