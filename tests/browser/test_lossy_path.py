"""Real browsers over a path that loses one datagram in ten, each way, and doubles some."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio
from glottis.server.gateway import Gateway
from glottis.testing.impairments import Impairments
from support.audio import SPEECH, read_wav, similarity
from support.browser import Page
from support.gateway import open_test_gateway
from support.lossy import lossy_endpoint
from support.patience import PROCESS_PATIENCE
from support.recording import decode_recording

BAD_NETWORK = Impairments(loss=0.1, duplication=0.05)


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    with lossy_endpoint(BAD_NETWORK) as endpoint:
        async with open_test_gateway(tmp_path, endpoint=endpoint) as gateway:
            yield gateway
            await gateway.stop(grace=0)


@pytest.fixture
async def chat(page: Page) -> AsyncIterator[Page]:
    with trio.fail_after(PROCESS_PATIENCE):
        await page.evaluate(
            """(async () => {
                globalThis.call = await Call.create();
                await call.speak();
                globalThis.chat = call.open('chat');
                globalThis.telemetry = call.open('telemetry', { ordered: false, maxRetransmits: 0 });
                await call.negotiate();
                await chat.next();
                await telemetry.opened;
            })()"""
        )
        yield page


async def test_reliable_messages_all_arrive_once_and_in_order(chat: Page) -> None:
    received = await chat.evaluate(
        """(async () => {
            for (let index = 0; index < 200; index++) chat.send(`message ${index}`);
            chat.send(noise(64 * 1024));
            const received = [];
            while (received.length < 200) received.push(await chat.next());
            return [received, same(await chat.next(), noise(64 * 1024))];
        })()"""
    )
    assert received == [[f"message {index}" for index in range(200)], True]


async def test_unreliable_messages_arrive_whole_and_at_most_once(chat: Page) -> None:
    received = await chat.evaluate(
        """(async () => {
            for (let index = 0; index < 300; index++) {
                telemetry.send(`message ${index}`);
                if (index % 10 === 9) await chat.echoes(`${index}`); // so that they do not share a few packets
            }
            return telemetry.received.filter((text) => text !== 'Backend connected');
        })()"""
    )
    assert len(received) == len(set(received))
    assert set(received) <= {f"message {index}" for index in range(300)}
    assert 60 < len(received) < 300  # both ways, so about four in five of what was sent


async def test_speech_is_still_speech(chat: Page) -> None:
    played, rate = read_wav(SPEECH)
    likeness = 0.0
    while likeness <= 0.5:  # a busy machine loses more, which passes
        heard = decode_recording(await chat.evaluate("record(call.streams[0], 2.5)"), 16000)
        likeness = similarity(heard, played, rate)
