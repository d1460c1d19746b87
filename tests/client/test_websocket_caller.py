"""Calls out whose audio travels by the WebSocket, to a real gateway on loopback."""

import socket
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trio
import trio.testing
from glottis import AudioFrame, Call, OtherEvent
from glottis.client.call import ClientCall
from glottis.client.calling import CallRequest, open_client_call
from glottis.server.gateway import Gateway
from support.audio import SPEECH, from_pcm, read_wav, similarity
from support.gateway import open_test_gateway
from support.http import initiate
from support.installed import installed_plugins
from support.memory import open_memory_exchange
from support.memory_call import open_memory_call
from support.phone import RATE, TONE, eventually
from support.plugins import TestPlugin

CODECS = tuple(entry.spec for entry in installed_plugins().codecs)
LIKENESS = {"PCM": 0.99, "OPUS": 0.7, "G722": 0.9, "PCMU": 0.85, "PCMA": 0.85}


async def interrupted(call: Call) -> None:
    """Speaks until it is told to stop, and is silent then."""
    call.nursery.start_soon(call.say, AudioFrame(500 * TONE, RATE))
    await anext(call.messages)
    call.flush()
    await trio.sleep_forever()


async def keys(call: Call) -> None:
    """Presses each key that the caller presses, as long as that was down."""
    async for key in call.dtmf:
        await call.send_dtmf(key.digit, duration=await key.released())


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    plugin = TestPlugin(interrupted=interrupted)
    async with open_test_gateway(tmp_path, plugin.config(), [plugin]) as gateway:
        yield gateway


def request(gateway: Gateway, codec: str | None = None, campaign: str = "echo", rate: int = RATE) -> CallRequest:
    return CallRequest(gateway.url, CODECS, campaign, rate, preferred_codec=codec, websocket=True)


async def hear_echo(call: ClientCall, pcm: bytes) -> bytes:
    """Say this, and return as much of what comes back."""
    heard = b""
    await call.connected.wait()
    call.nursery.start_soon(call.say, AudioFrame(pcm, call.sample_rate))
    async for frame in call.audio:
        heard += frame.pcm
        if len(heard) >= len(pcm):
            break
    return heard


@pytest.mark.slow
@pytest.mark.parametrize("name", LIKENESS)
async def test_what_is_said_comes_back_with_every_codec(
    name: str, tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    played, rate = read_wav(SPEECH)
    wish = CallRequest("", CODECS, sample_rate=rate, preferred_codec=name, websocket=True)
    async with open_memory_exchange(tmp_path) as exchange, open_memory_call(exchange, wish) as call:
        heard = await hear_echo(call, played.astype("<i2").tobytes())
    assert similarity(from_pcm(heard), played, rate) > LIKENESS[name]


@pytest.mark.parametrize("rate", [8000, 48000])
async def test_pcm_has_the_callers_rate_whatever_the_agents(gateway: Gateway, rate: int) -> None:
    async with open_client_call(request(gateway, campaign="talker", rate=rate)) as call:
        frame = await anext(call.audio)
        assert (frame.sample_rate, frame.sample_count) == (rate, rate // 50)


async def test_an_interrupted_agent_is_silent_at_once(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    plugin = TestPlugin(interrupted=interrupted)
    wish = CallRequest("", CODECS, "interrupted", RATE, websocket=True)
    async with (
        open_memory_exchange(tmp_path, plugin.config(), [plugin]) as exchange,
        open_memory_call(exchange, wish) as call,
    ):
        async for frame in call.audio:
            if max(frame.samples) > 2000:
                break
        await call.send_text("stop")
        async for event in call.events:
            if event == OtherEvent("flush", {}):
                break
        with trio.move_on_after(0.3):
            async for frame in call.audio:
                late = max(frame.samples, default=0)
        assert late < 2000


async def test_keys_go_both_ways(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    plugin = TestPlugin(keys=keys)
    wish = CallRequest("", CODECS, "keys", RATE, websocket=True)
    async with (
        open_memory_exchange(tmp_path, plugin.config(), [plugin]) as exchange,
        open_memory_call(exchange, wish) as call,
    ):
        await call.send_dtmf("4#", duration=0.2)
        pressed = [await anext(call.dtmf) for _ in "4#"]
    assert [(key.digit, key.duration) for key in pressed] == [("4", 0.2), ("#", 0.2)]


async def test_the_gateway_knows_how_far_the_caller_has_heard(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    plugin = TestPlugin(interrupted=interrupted)
    wish = CallRequest("", CODECS, "interrupted", RATE, websocket=True)
    async with (
        open_memory_exchange(tmp_path, plugin.config(), [plugin]) as exchange,
        open_memory_call(exchange, wish) as call,
    ):
        await anext(call.audio)
        await trio.sleep(2)
        (session,) = exchange.gateway.sessions
        assert 0.02 < session.leg.voice.unheard < 0.2  # the head start, and the caller's own delay


@pytest.mark.realtime
async def test_a_client_that_does_not_read_loses_the_oldest_and_nobody_waits_for_it(gateway: Gateway) -> None:
    audio = {"inputCodec": "PCM", "outputCodec": "PCM", "sampleRate": 48000, "bitsPerSample": 32}
    reply = await initiate(gateway, "interrupted", transportType="WebSocket", audioConfig=audio)
    url = urlsplit(reply.document["websocketUrl"])
    client = trio.socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    await client.connect((url.hostname, url.port))
    head = f"GET {url.path}?{url.query} HTTP/1.1\r\nHost: {url.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    await client.send((head + f"Sec-WebSocket-Key: {'A' * 22}==\r\nSec-WebSocket-Version: 13\r\n\r\n").encode())
    (session,) = gateway.sessions
    await eventually(lambda: session.leg.statistics(trio.current_time()).counters.audio_messages_unsent > 10)
    async with open_client_call(request(gateway)) as call:
        assert await hear_echo(call, 10 * TONE)
    session.end("enough")
    client.close()
