"""Calls from real browsers, in all the ways that a page can offer audio."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
import trio
from glottis import Call
from glottis.server.gateway import Gateway
from support.audio import SPEECH, Samples, from_pcm, read_wav, similarity
from support.browser import Page
from support.gateway import open_test_gateway
from support.patience import PROCESS_PATIENCE
from support.phone import eventually
from support.plugins import TestPlugin
from support.recording import decode_recording, loudness

OpenPage = Callable[[], AbstractAsyncContextManager[Page]]
PreparePage = Callable[[Page, Gateway], Awaitable[None]]

SILENCE = 30
LOUD = 300
LIKENESS = 0.7
"""The recorder's own codec costs some of it."""


class Listener:
    """An agent that keeps what it hears."""

    def __init__(self) -> None:
        self.heard = bytearray()
        self.sample_rate = 0

    async def __call__(self, call: Call) -> None:
        self.sample_rate = call.sample_rate
        async for frame in call.audio:
            self.heard += frame.pcm


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
async def gateway(tmp_path: Path, listener: Listener) -> AsyncIterator[Gateway]:
    plugin = TestPlugin(listener=listener)
    async with open_test_gateway(tmp_path, plugin.config(), [plugin]) as gateway:
        yield gateway
        await gateway.stop(grace=0)


async def listen(page: Page, seconds: float = 2.0) -> Samples:
    with trio.fail_after(PROCESS_PATIENCE):
        recording = await page.evaluate(f"record(call.streams[0], {seconds})")
    return decode_recording(recording, 16000)


def speech_in(heard: Samples) -> float:
    played, rate = read_wav(SPEECH)
    return similarity(heard, played, rate)


async def hear_speech(page: Page) -> None:
    """A busy machine stutters, which passes."""
    with trio.fail_after(PROCESS_PATIENCE):
        while speech_in(await listen(page)) <= LIKENESS:
            pass


async def hear_something(page: Page) -> None:
    """The same."""
    with trio.fail_after(PROCESS_PATIENCE):
        while loudness(await listen(page, 1)) <= LOUD:
            pass


async def start(page: Page, campaign: str, prepare: str) -> None:
    """Prepare a call by a JavaScript statement, negotiate, and wait for the connection."""
    with trio.fail_after(PROCESS_PATIENCE):
        await page.evaluate(
            f"""(async () => {{
                globalThis.call = await Call.create('{campaign}');
                {prepare};
                await call.negotiate();
            }})()"""
        )
        await page.wait_for("call.pc.connectionState === 'connected'")


async def test_caller_hears_the_echo_of_speech(page: Page) -> None:
    await start(page, "echo", "await call.speak()")
    await hear_speech(page)
    assert await page.evaluate("call.errors") == []


async def test_agent_hears_a_caller_that_only_sends(page: Page, listener: Listener) -> None:
    await start(page, "listener", "await call.speak(); call.pc.getTransceivers()[0].direction = 'sendonly'")
    with trio.fail_after(PROCESS_PATIENCE):
        while speech_in(from_pcm(bytes(listener.heard))) <= LIKENESS:
            listener.heard.clear()
            await eventually(lambda: len(listener.heard) > 2 * 32000)
    assert await page.evaluate("call.pc.getTransceivers()[0].currentDirection") == "sendonly"


async def test_page_that_only_listens_hears_the_agent(page: Page) -> None:
    await start(page, "talker", "call.pc.addTransceiver('audio', { direction: 'recvonly' })")
    await hear_something(page)
    assert await page.evaluate("call.pc.getTransceivers()[0].currentDirection") == "recvonly"


async def test_second_audio_section_is_answered_and_the_first_carries_the_call(page: Page) -> None:
    await start(page, "echo", "await call.speak(); await call.speak()")
    await hear_speech(page)
    directions = await page.evaluate("call.pc.getTransceivers().map((transceiver) => transceiver.currentDirection)")
    assert directions[0] == "sendrecv"
    assert directions[1] in ("inactive", "sendonly")
    assert await page.evaluate("call.errors") == []


async def test_track_replaced_by_nothing_is_silence_until_it_comes_back(page: Page) -> None:
    await start(page, "echo", "globalThis.sender = await call.speak(); globalThis.track = sender.track")
    await hear_something(page)
    await page.evaluate("sender.replaceTrack(null)")
    while loudness(await listen(page, 0.5)) >= SILENCE:  # what was on its way
        pass
    await page.evaluate("sender.replaceTrack(track)")
    await hear_speech(page)


async def test_closed_page_ends_its_session_at_once(page: Page, gateway: Gateway) -> None:
    await start(page, "echo", "await call.speak()")
    assert len(gateway.sessions) == 1
    await page.close()
    await eventually(lambda: len(gateway.sessions) == 0)


async def test_page_without_microphone_offers_hidden_addresses_only_and_hears_the_agent(
    deaf_chromium: OpenPage, prepare_page: PreparePage, gateway: Gateway
) -> None:
    async with deaf_chromium() as page:
        await prepare_page(page, gateway)
        await start(page, "talker", "call.pc.addTransceiver('audio', { direction: 'recvonly' })")
        candidates = await page.evaluate("call.candidates")
        assert candidates
        assert all(".local " in candidate for candidate in candidates)
        await hear_something(page)
