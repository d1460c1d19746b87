"""Doors: what a plugin's routes do for clients of another protocol is what the gateway does for its own."""

import json
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import trio.testing
from glottis import (
    AgentSpec,
    AudioFrame,
    AuthRequest,
    AuthSchemeSpec,
    BytesMessage,
    Call,
    Dialect,
    Door,
    DoorCall,
    DoorRefused,
    HangUp,
    Principal,
    Route,
    RouteRequest,
    RouteResponse,
    RoutesSpec,
    Saying,
    ToAgent,
    ToClient,
    hookimpl,
)
from glottis.sctp import ChannelOpened, DataChannel, TextReceived
from glottis.signaling.messages import Text
from glottis_auth_anonymous import Anonymous
from support.gateway import CONFIG
from support.http import Reply, request
from support.keys import KEY, KEYS
from support.markdown import Document
from support.memory import open_memory_exchange
from support.phone import CONNECTED, Exchange, Phone, eventually
from support.plugins import TestPlugin

ROUTES = CONFIG + '\n[routes]\nenabled = ["bell"]\n'
Clock = trio.testing.MockClock


AUDIO = {"transportType": "WebSocket", "audioConfig": {"inputCodec": "PCMU", "outputCodec": "PCMU", "sampleRate": 8000}}
LOUD = b"\x91" * 160
"""20 ms of µ-law."""


class Nobody(Anonymous):
    """An auth scheme that knows no client."""

    async def authenticate(self, request: AuthRequest) -> Principal | None:
        return None


class Bell:
    """A door by which whoever rings says what is wanted; the test has the client's side of the call."""

    def __init__(self) -> None:
        self.calls: list[DoorCall] = []
        self.told: list[Mapping[str, Any]] = []
        self.keys: list[str] = []
        self.principal: Principal | None = None
        self.is_broken = False
        self.dialect: Dialect | None = None
        self.lender: Door | None = None

    @hookimpl
    def register_auth_schemes(self) -> Sequence[AuthSchemeSpec]:
        return [AuthSchemeSpec("nobody", lambda settings: Nobody())]

    @hookimpl
    def register_agents(self) -> Sequence[AgentSpec]:
        return [AgentSpec("reader", lambda settings: self.read, sample_rate=8000)]

    async def read(self, call: Call) -> None:
        """Speaks until a key is pressed."""
        speech = call.start_saying([AudioFrame(b"\x00\x40" * 80_000, 8000)])
        async for key in call.dtmf:
            self.keys.append(key.digit)
            speech.cancel()

    @hookimpl
    def register_routes(self) -> Sequence[RoutesSpec]:
        routes = [Route("POST", "/ring", "public", self.ring), Route("POST", "/lend", "public", self.lend)]
        return [RoutesSpec("bell", lambda settings: routes, folder="/bell")]

    async def lend(self, asked: RouteRequest) -> RouteResponse:
        assert asked.door is not None
        self.lender = asked.door
        try:
            return RouteResponse.json((await asked.door.principal()).name)
        except DoorRefused as refused:
            return RouteResponse.refusal(refused)

    async def ring(self, asked: RouteRequest) -> RouteResponse:
        assert asked.door is not None
        door = asked.door if self.lender is None else asked.door.on_behalf_of(self.lender)
        try:
            call = await door.call(json.loads(asked.body), self.hear, dialect=self.dialect, principal=self.principal)
        except DoorRefused as refused:
            return RouteResponse.refusal(refused)
        self.calls.append(call)
        assert asked.door.find(call.session_id) is call
        return RouteResponse.json({"sessionId": call.session_id})

    def hear(self, message: Mapping[str, Any]) -> None:
        if self.is_broken:
            raise RuntimeError("the bell is broken")
        self.told.append(message)

    def events(self, name: str) -> list[Any]:
        return [one["data"] for one in self.told if one["type"] == "event" and one["name"] == name]


@pytest.fixture
def bell() -> Bell:
    return Bell()


@pytest.fixture
async def exchange(bell: Bell, tmp_path: Path) -> AsyncIterator[Exchange]:
    async with open_memory_exchange(tmp_path, ROUTES, [bell]) as exchange:
        yield exchange


async def ring(exchange: Exchange, **wanted: Any) -> Reply:
    body = json.dumps({"campaignId": "echo", **wanted}).encode()
    return await request(exchange.gateway, "POST", "/bell/ring", body, connect=exchange.network.connect)


async def connect(exchange: Exchange, call: DoorCall) -> Phone:
    phone = exchange.phone()
    answer = await call.answer(phone.peer.make_offer())
    phone.driver.pump()
    phone.peer.accept_answer_untrusted(answer, trio.current_time())
    phone.driver.pump()
    await eventually(lambda: CONNECTED in phone.events)
    return phone


async def test_call_by_a_door_is_a_call_like_any_other(bell: Bell, exchange: Exchange, autojump_clock: Clock) -> None:
    session_id = (await ring(exchange, metadata={"bell": "left"})).document["sessionId"]
    (call,) = bell.calls
    phone = await connect(exchange, call)
    session = exchange.gateway.sessions.find(session_id)
    assert session is not None
    assert session.info.metadata == {"bell": "left"}
    await phone.hear()
    assert [data["state"] for data in bell.events("state")] == ["connecting", "active"]
    await call.send_text("hello")
    await eventually(lambda: {"type": "text", "text": "hello"} in bell.told)
    call.end("enough")
    assert call.is_over
    assert bell.told[-1] == {"type": "bye", "reason": "the caller hung up: enough"}
    with pytest.raises(DoorRefused, match="has ended"):
        await call.answer("v=0")
    call.end()


async def test_who_has_no_token_for_it_cannot_take_the_call_over(
    bell: Bell, exchange: Exchange, autojump_clock: Clock
) -> None:
    session_id = (await ring(exchange)).document["sessionId"]
    phone = exchange.phone()
    await phone.create()
    url = phone.url.replace(phone.session_id, session_id)
    await phone.open_socket(url)
    assert (await phone.wait_closed())[1].startswith("TOKEN_INVALID")
    assert not bell.calls[0].is_over


@pytest.mark.parametrize(
    ("wanted", "status", "code"),
    [
        ({"campaignId": "nobody"}, 404, "UNKNOWN_CAMPAIGN"),
        ({"transportType": "pigeon"}, 400, "UNSUPPORTED_TRANSPORT"),
    ],
)
async def test_what_cannot_be_had_is_refused_as_ever(
    wanted: dict[str, Any], status: int, code: str, bell: Bell, exchange: Exchange, autojump_clock: Clock
) -> None:
    reply = await ring(exchange, **wanted)
    assert (reply.status, reply.document["code"]) == (status, code)
    assert not bell.calls


async def test_limits_and_refusals_are_those_of_the_gateway(bell: Bell, tmp_path: Path, autojump_clock: Clock) -> None:
    limited = ROUTES.replace("max_load = 1", "max_load = 1\nmax_sessions = 1")
    async with open_memory_exchange(tmp_path, limited, [bell]) as exchange:
        assert (await ring(exchange)).status == 200
        full = await ring(exchange)
        assert (full.status, full.document["code"]) == (503, "FULL")
        assert full.headers["retry-after"] == "10"
        exchange.gateway.sessions.drain()
        assert (await ring(exchange)).document["code"] == "DRAINING"


async def test_offers_that_cannot_be_answered_leave_the_call_as_it_is(
    bell: Bell, exchange: Exchange, autojump_clock: Clock
) -> None:
    await ring(exchange)
    (call,) = bell.calls
    for _ in range(10):
        with pytest.raises(DoorRefused) as refused:
            await call.answer("nonsense")
        assert refused.value.status == 400
    with pytest.raises(DoorRefused) as refused:
        await call.answer("nonsense")
    assert (refused.value.status, refused.value.code) == (429, "TOO_MANY_OFFERS")
    await trio.sleep(float(dict(refused.value.headers)["retry-after"]))
    await (await connect(exchange, call)).hear()


async def test_who_does_not_call_within_the_time_has_no_call(
    bell: Bell, exchange: Exchange, autojump_clock: Clock
) -> None:
    await ring(exchange)
    (call,) = bell.calls
    await trio.sleep(61)
    assert call.is_over
    assert not len(exchange.gateway.sessions)


async def test_plugin_that_fails_to_hear_ends_its_call_and_no_other(
    bell: Bell,
    exchange: Exchange,
    caplog: pytest.LogCaptureFixture,
    autojump_clock: Clock,
) -> None:
    other = await exchange.call()
    await ring(exchange)
    (call,) = bell.calls
    bell.is_broken = True
    await call.answer(exchange.phone().peer.make_offer())
    assert call.is_over
    assert "the bell is broken" in caplog.text
    await other.hear()


async def test_a_door_lends_what_it_had_to_show(bell: Bell, tmp_path: Path, autojump_clock: Clock) -> None:
    config = ROUTES.replace('[auth]\nscheme = "anonymous"\n', KEYS)
    async with open_memory_exchange(tmp_path, config, [bell]) as exchange:
        assert (await ring(exchange)).status == 401
        assert (await lend(exchange)).status == 401
        assert (await ring(exchange)).status == 401
        assert (await lend(exchange, authorization=f"Bearer {KEY}")).body == b'"shop"'
        session_id = (await ring(exchange)).document["sessionId"]
        session = exchange.gateway.sessions.find(session_id)
        assert session is not None
        assert session.info.principal.name == "shop"


async def lend(exchange: Exchange, **headers: str) -> Reply:
    return await request(exchange.gateway, "POST", "/bell/lend", b"", connect=exchange.network.connect, **headers)


class Morse:
    """Dots for texts of the client, and dashes for what it is told."""

    label = "morse"

    def __init__(self) -> None:
        self.broken: Callable[[], Any] = lambda: None

    def opened(self) -> Iterator[Saying]:
        yield ToClient("-")

    def client_says(self, text: str) -> Iterator[Saying]:
        self.broken()
        yield HangUp("over") if text == "over" else ToAgent(f".{text}")

    def gateway_says(self, message: Mapping[str, Any]) -> Sequence[Saying]:
        told = message.get("text") or message["data"].get("state")
        return [ToClient(f"-{told}")] if told else []


async def repeat(call: Call) -> None:
    await call.send_event("agent_state", {"state": "listening"})
    async for message in call.messages:
        if isinstance(message, BytesMessage):
            await call.send_text(f"{len(message.data)} bytes by {await call.wait_for_channel()}")
        else:
            await call.send_text(f"{message.text} {message.channel}", message.channel)


async def open_channel(phone: Phone, label: str) -> DataChannel:
    assert phone.peer.channels is not None
    channel = phone.peer.channels.open(label)
    phone.driver.pump()
    await eventually(lambda: ChannelOpened(channel) in phone.events)
    return channel


def texts(phone: Phone, channel: DataChannel) -> list[str]:
    return [one.text for one in phone.events if isinstance(one, TextReceived) and one.channel is channel]


async def send(phone: Phone, channel: DataChannel, *messages: str | bytes) -> None:
    for message in messages:
        if isinstance(message, str):
            channel.send_text(message)
        else:
            channel.send_bytes(message)
    phone.driver.pump()


@pytest.fixture
async def morse_call(bell: Bell, tmp_path: Path) -> AsyncIterator[tuple[Exchange, Phone, Morse]]:
    bell.dialect = morse = Morse()
    plugin = TestPlugin(test=repeat)
    config = f'{plugin.config()}\n[routes]\nenabled = ["bell"]\n'
    async with open_memory_exchange(tmp_path, config, [bell, plugin]) as exchange:
        await ring(exchange, campaignId="test")
        yield exchange, await connect(exchange, bell.calls[0]), morse


async def test_a_dialect_has_the_channel_of_its_label_for_itself(
    bell: Bell, morse_call: tuple[Exchange, Phone, Morse], autojump_clock: Clock
) -> None:
    _, phone, _ = morse_call
    chat = await open_channel(phone, "chat")
    await trio.sleep(1)
    channel = await open_channel(phone, "morse")
    await send(phone, channel, "hello", bytes(3))
    states = ["-connecting", "-connecting", "-connected", "-active", "-listening"]
    await eventually(lambda: texts(phone, channel) == ["-", *states, "-.hello None", "-3 bytes by morse"])
    await send(phone, chat, "plain")
    await eventually(lambda: texts(phone, chat) == ["Backend connected", "plain chat"])
    await send(phone, channel, "over")
    await eventually(lambda: bell.calls[0].is_over)
    assert bell.told[-1] == {"type": "bye", "reason": "the caller hung up: over"}


@pytest.mark.parametrize("nonsense", [lambda: 1 / 0, lambda: sys.exit(1)])
async def test_a_dialect_that_fails_ends_its_call_and_no_other(
    nonsense: Callable[[], Any],
    bell: Bell,
    morse_call: tuple[Exchange, Phone, Morse],
    caplog: pytest.LogCaptureFixture,
    autojump_clock: Clock,
) -> None:
    exchange, phone, morse = morse_call
    other = await exchange.call("test")
    channel = await open_channel(phone, "morse")
    morse.broken = nonsense
    await send(phone, channel, "hello", "again")
    await eventually(lambda: bell.calls[0].is_over)
    assert "failed in" in caplog.text
    await other.socket.send('{"type":"text","text":"still there?"}')
    await eventually(lambda: other.socket.of_type(Text))


async def test_client_that_takes_nothing_misses_what_there_is_no_room_for(
    bell: Bell, morse_call: tuple[Exchange, Phone, Morse], autojump_clock: Clock
) -> None:
    exchange, phone, _ = morse_call
    for _ in range(150):
        await bell.calls[0].send_text("hello")
    await trio.sleep(1)
    channel = await open_channel(phone, "morse")
    await eventually(lambda: texts(phone, channel) == ["-", *["-hello None"] * 100])
    (session,) = exchange.gateway.sessions
    assert session.statistics().counters.messages_missed > 50


async def take_all(call: DoorCall, played: list[Any]) -> None:
    while (sound := await call.receive_audio()) is not None:
        played.append(sound)


async def test_audio_of_a_websocket_call_comes_and_goes_by_the_door(
    bell: Bell, exchange: Exchange, autojump_clock: Clock
) -> None:
    await ring(exchange, **AUDIO)
    (call,) = bell.calls
    played: list[Any] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(take_all, call, played)
        for _ in range(50):
            call.send_audio(LOUD)
            await trio.sleep(0.02)
        await trio.sleep(0.3)
        call.end()
    sound = b"".join(one for one in played if isinstance(one, bytes))
    assert sum(byte != 0xFF for byte in sound) > 40 * len(LOUD)
    marks = [one for one in played if not isinstance(one, bytes)]
    assert [mark["data"]["id"] for mark in marks] == list(range(1, len(marks) + 1))
    assert await call.receive_audio() is None
    for refused in (partial(call.send_audio, LOUD), partial(call.send_mark, 1), partial(call.send_key, "1")):
        with pytest.raises(DoorRefused, match="has ended"):
            refused()


async def test_interruption_takes_back_what_waits_and_tells_the_client(
    bell: Bell, tmp_path: Path, autojump_clock: Clock
) -> None:
    reading = ROUTES + '\n[campaigns.reader]\nagent = "reader"\n'
    async with open_memory_exchange(tmp_path, reading, [bell]) as exchange, trio.open_nursery() as nursery:
        await ring(exchange, campaignId="reader", **AUDIO)
        (call,) = bell.calls
        played: list[Any] = []
        await trio.sleep(1)  # nobody plays it: half a second waits
        call.send_key("5")
        await trio.sleep(0.2)
        nursery.start_soon(take_all, call, played)
        await trio.sleep(0.2)
        assert bell.keys == ["5"]
        assert played == [{"type": "event", "name": "flush", "data": {}}]
        session = exchange.gateway.sessions.find(call.session_id)
        assert session is not None
        assert session.statistics().counters.audio_messages_unsent > 10
        with pytest.raises(DoorRefused) as refused:
            call.send_key("x")
        assert refused.value.code == "INVALID_FIELD"
        call.end()


@pytest.mark.parametrize("known", [True, False])
async def test_auth_scheme_is_asked_unless_the_plugin_knows_who_it_is(
    known: bool, bell: Bell, tmp_path: Path, autojump_clock: Clock
) -> None:
    bell.principal = Principal("the neighbour") if known else None
    strict = ROUTES.replace('scheme = "anonymous"', 'scheme = "nobody"')
    async with open_memory_exchange(tmp_path, strict, [bell]) as exchange:
        reply = await ring(exchange)
        assert reply.status == (200 if known else 401)
        assert [session.info.principal.name for session in exchange.gateway.sessions] == ["the neighbour"] * known


async def test_the_telegraph_of_the_documentation_works(tmp_path: Path, autojump_clock: Clock) -> None:
    document = Document(Path(__file__).parents[2] / "docs" / "hooks.md")
    (code,) = (block.code for block in document.blocks_of("python") if block.file_name == "telegraph.py")
    telegraph = ModuleType("telegraph")
    exec(code, vars(telegraph))
    config = CONFIG + '\n[campaigns.parrot]\nagent = "echo"\n[routes]\nenabled = ["telegraph"]\n'
    async with open_memory_exchange(tmp_path, config, [telegraph]) as exchange:
        phone = exchange.phone()
        offer = phone.peer.make_offer().encode()
        path = "/api/plugins/telegraph/dial"
        reply = await request(exchange.gateway, "POST", path, offer, connect=exchange.network.connect)
        phone.driver.pump()
        phone.peer.accept_answer_untrusted(reply.body.decode(), trio.current_time())
        phone.driver.pump()
        await eventually(lambda: CONNECTED in phone.events)
        channel = await open_channel(phone, "telegraph")
        await send(phone, channel, "SAY hello", "SING", "SAY again")
        await eventually(lambda: texts(phone, channel) == ["READY", "WHAT?", "HEARD hello", "HEARD again"])
        await send(phone, channel, "STOP")
        await eventually(lambda: not len(exchange.gateway.sessions))
