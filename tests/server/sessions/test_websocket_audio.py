"""Calls whose audio travels by the WebSocket (CONTRACT §5), from the request to the end, in virtual time."""

from collections.abc import AsyncIterator, Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from glottis import AudioFrame, Call
from glottis.contracts.audio import FRAME_SECONDS
from glottis.signaling.messages import FLUSH, Bye, Error, Event, Key, Mark, Offer, Text, TrickledCandidate
from support.memory import open_memory_exchange_with
from support.phone import RATE, TONE, Exchange, Phone, Socket, eventually
from support.plugins import TestPlugin

Clock = trio.testing.MockClock
PCM: dict[str, Any] = {"inputCodec": "PCM", "outputCodec": "PCM", "sampleRate": RATE}
BYTES_PER_SECOND = 2 * RATE


async def echo(call: Call) -> None:
    """Of audio and text."""
    call.nursery.start_soon(echo_text, call)
    async for frame in call.audio:
        await call.say(frame)


async def echo_text(call: Call) -> None:
    async for message in call.messages:
        await call.send_text(getattr(message, "text", ""))


async def speaker(call: Call) -> None:
    """Speaks on and on, and stops when there is a text."""
    call.nursery.start_soon(speak, call)
    await anext(call.messages)
    call.nursery.cancel_scope.cancel()


async def speak(call: Call) -> None:
    while True:
        await call.say(AudioFrame(10 * TONE, RATE))


async def interruptible(call: Call) -> None:
    """Says ten seconds, is interrupted by a text, tells how much of it was sent, and goes on after the next text."""
    call.nursery.start_soon(call.say, AudioFrame(500 * TONE, RATE))
    await anext(call.messages)
    heard = call.flush()
    await call.send_event("interrupted_at", {"seconds": heard.sent})
    await anext(call.messages)
    await call.say(AudioFrame(5 * TONE, RATE))


async def cancelled(call: Call) -> None:
    """The same with an utterance of its own, whose end it tells."""
    utterance = call.start_saying(AudioFrame(100 * TONE, RATE))
    await anext(call.messages)
    heard = utterance.cancel()
    await call.send_event("interrupted_at", {"seconds": heard.sent, "dropped": heard.dropped})
    await trio.sleep_forever()


async def keys(call: Call) -> None:
    """Presses each key that the caller presses, as long as that was down."""
    async for key in call.dtmf:
        await call.send_dtmf(key.digit, duration=await key.released())


@pytest.fixture
async def exchange(tmp_path: Path) -> AsyncIterator[Exchange]:
    plugin = TestPlugin(parrot=echo, speaker=speaker, interruptible=interruptible, cancelled=cancelled, keys=keys)
    async with open_memory_exchange_with(tmp_path, plugin) as exchange:
        yield exchange


async def call(exchange: Exchange, campaign: str = "parrot", **audio: Any) -> tuple[Phone, Socket]:
    phone = exchange.phone()
    await phone.create(campaign, transportType="WebSocket", audioConfig=audio or PCM)
    socket = await phone.open_socket()
    await eventually(lambda: {"state": "active"} in socket.events("state"))
    return phone, socket


async def talk(socket: Socket, audio: bytes, sizes: Iterator[int], bytes_per_second: int = BYTES_PER_SECOND) -> None:
    """Send it in messages of these sizes, at the pace of time."""
    start = 0
    began = trio.current_time()
    while start < len(audio):
        size = next(sizes)
        await socket.send(audio[start : start + size])
        start += size
        await trio.sleep_until(began + start / bytes_per_second)


@pytest.mark.parametrize(
    "sizes",
    [[640], [256], [641, 639, 1], [6400], [16_000, 32_000]],
    ids=lambda sizes: "-".join(map(str, sizes)),
)
async def test_what_is_said_in_any_chunking_comes_back_whole(
    sizes: list[int], exchange: Exchange, autojump_clock: Clock
) -> None:
    _, socket = await call(exchange)
    await talk(socket, 80 * TONE, cycle(sizes))
    await eventually(lambda: len(socket.heard) >= 75 * len(TONE))
    assert socket.heard.startswith(75 * TONE)


async def test_speech_comes_at_the_pace_of_time_with_a_small_head_start(
    exchange: Exchange, autojump_clock: Clock
) -> None:
    _, socket = await call(exchange, "speaker")
    await trio.sleep(2)
    began = socket.audio[0][0]
    sent = 0.0
    for arrived_at, message in socket.audio:
        assert len(message) == len(TONE)
        assert -0.001 <= sent + FRAME_SECONDS - (arrived_at - began) <= 0.085
        sent += FRAME_SECONDS
    assert sent >= 1.9


async def test_an_interrupted_agent_has_the_client_drop_what_it_has(exchange: Exchange, autojump_clock: Clock) -> None:
    _, socket = await call(exchange, "interruptible")
    await trio.sleep(1)
    await socket.send(Text("stop"))
    await eventually(lambda: FLUSH in socket.messages)
    sent = len(socket.heard) / BYTES_PER_SECOND
    assert trio.current_time() - socket.audio[0][0] < 1.03
    assert sent == pytest.approx(1.07, abs=0.03)
    await trio.sleep(1)
    assert len(socket.heard) / BYTES_PER_SECOND == sent
    assert socket.events("interrupted_at") == [{"seconds": pytest.approx(sent)}]
    await socket.send(Text("go on"))
    await eventually(lambda: len(socket.heard) / BYTES_PER_SECOND > sent + 0.09)
    assert socket.messages.count(FLUSH) == 1


@pytest.mark.parametrize("campaign", ["interruptible", "cancelled"])
async def test_a_client_that_sends_marks_back_has_heard_what_it_has_played(
    campaign: str, exchange: Exchange, autojump_clock: Clock
) -> None:
    _, socket = await call(exchange, campaign)
    await trio.sleep(0.5)  # in which it plays nothing yet
    await socket.send(Mark(socket.events("mark")[0]["id"]))
    await trio.sleep(0.4)
    await socket.send(Text("stop"))
    await eventually(lambda: socket.events("interrupted_at"))
    assert len(socket.heard) / BYTES_PER_SECOND == pytest.approx(0.97, abs=0.05)
    assert socket.events("interrupted_at")[0]["seconds"] == pytest.approx(0.4, abs=0.05)


async def test_keys_travel_beside_the_audio(exchange: Exchange, autojump_clock: Clock) -> None:
    _, socket = await call(exchange, "keys")
    for key in (Key("4", 0.2), Key("2", 0.4)):
        await socket.send(key)
    await eventually(lambda: len(socket.events("dtmf")) == 2)
    assert socket.events("dtmf") == [{"digit": "4", "durationMs": 200}, {"digit": "2", "durationMs": 400}]
    assert not socket.heard


async def test_keys_beyond_those_that_a_person_presses_are_refused(exchange: Exchange, autojump_clock: Clock) -> None:
    _, socket = await call(exchange, "keys")
    for _ in range(150):
        await socket.send(Key("1", 0.1))
    await eventually(lambda: socket.of_type(Error))
    assert {error.code for error in socket.of_type(Error)} == {"TOO_MANY_KEYS"}


async def test_the_answer_tells_what_is_used_and_no_ice_servers(exchange: Exchange, autojump_clock: Clock) -> None:
    reply = await exchange.post(
        "parrot",
        transportType="websocket",
        audioConfig={
            "input": {"codec": "pcm", "sampleRate": 44100, "bitsPerSample": 32},
            "output": {"codec": "PCMU", "sampleRate": 8000, "frameDurationMs": 35},
        },
    )
    assert reply.status == 200
    assert reply.document["iceServers"] == []
    assert reply.document["audioConfig"] == {
        "input": {"codec": "PCM", "sampleRate": 44100, "bitsPerSample": 32, "channels": 1},
        "output": {"codec": "PCMU", "sampleRate": 8000, "channels": 1, "frameDurationMs": 30},
    }
    reply = await exchange.post("parrot")
    assert "audioConfig" not in reply.document


async def test_what_cannot_be_used_is_refused_with_a_sentence(exchange: Exchange, autojump_clock: Clock) -> None:
    audio = {"inputCodec": "PCM", "outputCodec": "PCM", "sampleRate": 22050}
    reply = await exchange.post("parrot", transportType="WebSocket", audioConfig=audio)
    assert (reply.status, reply.document["code"]) == (400, "INVALID_FIELD")
    assert reply.document["detail"] == (
        "Correct the request: audioConfig.input.sampleRate: "
        "expected one of 8000, 12000, 16000, 24000, 32000, 44100, 48000 for PCM."
    )
    assert len(exchange.gateway.sessions) == 0


@pytest.mark.slow
async def test_texts_events_and_statistics_are_those_of_any_call(exchange: Exchange, autojump_clock: Clock) -> None:
    phone, socket = await call(exchange)
    await talk(socket, 260 * TONE, cycle([640]))
    await socket.send(Text("hello"))
    await eventually(lambda: Text("hello") in socket.messages)
    assert socket.events("media") == [{"codec": "PCM", "frameDurationMs": 20, "sampleRate": RATE}]
    statistics = socket.events("statistics")[-1]
    assert statistics["inbound-rtp"]["packetsReceived"] > 200
    assert statistics["inbound-rtp"]["concealedSamples"] == 0
    assert statistics["outbound-rtp"]["packetsSent"] > 200
    assert "counters" not in statistics
    await socket.send(Bye("enough"))
    assert await phone.wait_closed() == (1000, "the caller hung up: enough")


async def test_what_only_another_transport_has_is_refused(exchange: Exchange, autojump_clock: Clock) -> None:
    _, socket = await call(exchange)
    for message, name in ((Offer("v=0"), "offer"), (TrickledCandidate("", "0", 0, None), "candidate")):
        await socket.send(message)
        refusal = Error("NOTHING_TO_NEGOTIATE", f"{name}: expected none, the audio of this session is declared")
        await eventually(lambda refusal=refusal: refusal in socket.messages)  # type: ignore[misc]
    phone = exchange.phone()
    await phone.create("parrot")
    socket = await phone.open_socket()
    await socket.send(TONE)
    await eventually(lambda: socket.of_type(Error))
    assert socket.of_type(Error) == [Error("NOT_TEXT", "expected a text message with JSON")]


async def test_a_lost_socket_is_resumed_with_whole_samples(exchange: Exchange, autojump_clock: Clock) -> None:
    phone, socket = await call(exchange)
    await talk(socket, 20 * TONE + b"\x7f", cycle([640]))
    url = socket.events("resume")[0]["websocketUrl"]
    socket.cut()
    await trio.sleep(2)
    back = await phone.open_socket(url)
    await eventually(lambda: Event("resumed", {}) in back.messages)
    await talk(back, 20 * TONE, cycle([640]))
    await trio.sleep(0.5)
    assert 15 * TONE in back.heard


@pytest.mark.slow
async def test_what_the_agent_says_waits_for_the_client_to_come_back(exchange: Exchange, autojump_clock: Clock) -> None:
    phone, socket = await call(exchange, "interruptible")
    await trio.sleep(0.5)
    heard = len(socket.heard)
    socket.cut()
    await trio.sleep(5)
    back = await phone.open_socket(socket.events("resume")[0]["websocketUrl"])
    await eventually(lambda: len(back.heard) > 0)
    await trio.sleep(9.5)
    assert heard + len(back.heard) >= 498 * len(TONE)


@pytest.mark.slow
async def test_blocks_of_128_samples_at_48_khz_are_not_held_back(exchange: Exchange, autojump_clock: Clock) -> None:
    phone, socket = await call(
        exchange, inputCodec="PCM", outputCodec="PCMU", sampleRate=None, input={"sampleRate": 48000}
    )
    await talk(socket, bytes(5 * 96_000), cycle([256]), bytes_per_second=96_000)
    session = exchange.gateway.sessions.find(phone.session_id)
    assert session is not None
    inbound = session.leg.statistics(trio.current_time()).inbound_rtp
    assert inbound is not None
    assert inbound.packets_received >= 248


@pytest.mark.slow
async def test_a_flood_of_long_messages_is_no_other_callers_business(exchange: Exchange, autojump_clock: Clock) -> None:
    _, flooding = await call(exchange, inputCodec="PCM", outputCodec="PCM", sampleRate=48000, bitsPerSample=32)
    _, socket = await call(exchange)

    async def flood() -> None:
        for _ in range(100):
            await flooding.send(b"\x00\x00\xc0\x7f" * (16 * 1024))

    exchange.nursery.start_soon(flood)
    await talk(socket, 60 * TONE, cycle([640]))
    await eventually(lambda: len(socket.heard) >= 55 * len(TONE))
    assert socket.heard.startswith(55 * TONE)
    assert flooding.closed is None


@pytest.mark.slow
async def test_audio_faster_than_time_is_dropped_counted_and_told_once(
    exchange: Exchange, autojump_clock: Clock
) -> None:
    _, socket = await call(exchange)
    for _ in range(40):
        await socket.send(50 * TONE)
    await eventually(lambda: socket.of_type(Error))
    await trio.sleep(10)
    assert [error.code for error in socket.of_type(Error)] == ["TOO_MUCH_AUDIO"]
    assert socket.events("statistics")[-1]["counters"]["audioOverflows"] > 1500
    await talk(socket, 20 * TONE, cycle([640]))
    assert socket.closed is None


async def test_messages_without_audio_are_refused_and_counted_and_too_many_end_the_socket(
    exchange: Exchange, autojump_clock: Clock
) -> None:
    phone, socket = await call(exchange, inputCodec="OPUS", outputCodec="OPUS")
    await socket.send(b"")
    await socket.send(b"\xff" * 100)
    await eventually(lambda: len(socket.of_type(Error)) == 2)
    await trio.sleep(5)
    assert socket.events("statistics")[-1]["counters"]["audioMessagesRefused"] == 2
    for _ in range(20):
        await socket.send(b"\xff" * 100)
    assert (await phone.wait_closed())[0] == 1008
