"""Clients of Pipecat's SmallWebRTC transport: their offers, candidates and pings, and RTVI on their data channel."""

import gc
import json
import weakref
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import trio.testing
from glottis import Call, Malformed, RouteResponse, Seat, SessionWish, TextMessage, TypedMessage, Whereabouts, hookimpl
from glottis.dtls import Certificate
from glottis.sctp import ChannelOpened, DataChannel, TextReceived
from glottis_conversation import conversation
from glottis_pipecat.bodies import (
    MAX_BYTES,
    MAX_CANDIDATES,
    MAX_DATA_BYTES,
    Offer,
    parse_candidates_untrusted,
    parse_offer_untrusted,
    parse_start_untrusted,
)
from glottis_pipecat.messages import MAX_MESSAGE_BYTES, Message, parse_message_untrusted
from hypothesis import given
from hypothesis import strategies as st
from support.http import Reply, request
from support.keys import KEY, KEYS
from support.memory import open_memory_exchange
from support.phone import CONNECTED, Exchange, Phone, eventually
from support.plugins import TestPlugin
from support.talking import Ear, Mind, Mouth, settings

Clock = trio.testing.MockClock
OFFER = "/api/offer"
UNKNOWN = "1-" + "x" * 22


async def agent(call: Call) -> None:
    """Does what it is told in writing, as agents of conversations would."""
    async for message in call.messages:
        if isinstance(message, TypedMessage):
            if message.type == "client-message":
                answer = {"id": message.data["id"], "t": message.data["t"], "d": message.data["d"]}
                await call.send_event("server_response", answer)
            else:
                await call.send_text(f"It is {message.data['output']}.")
        elif isinstance(message, TextMessage):
            await play(call, message.text)


async def play(call: Call, scene: str) -> None:
    match scene:
        case "speak" | "be interrupted":
            await call.send_event("agent_state", {"state": "thinking"})
            await call.send_event("agent_state", {"state": "speaking"})
            await call.send_event("transcript", {"role": "agent", "text": "Good", "final": False})
            await call.send_event("transcript", {"role": "agent", "text": "Good day.", "final": False})
            said = {"text": "Good day."} if scene == "speak" else {"text": "Good d", "interrupted": True}
            await call.send_event("transcript", {"role": "agent", "final": True, **said})
            await call.send_event("agent_state", {"state": "listening"})
        case "ask":
            await call.send_event("function_call", {"callId": "c1", "name": "clock", "arguments": {"zone": "UTC"}})
        case "bye":
            call.hang_up("that is all")
        case "notify":
            await call.send_event("weather", {"sky": "blue"})
        case "data":
            await call.send_text(json.dumps(call.info.metadata["pipecat"]))
        case _:
            await call.send_text(scene.upper())


class Client:
    """A phone, what its client has been answered, and told on its channel."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.phone: Phone = exchange.phone()
        self.pc_id: str | None = None
        self.channel: DataChannel | None = None

    async def ask(self, path: str, body: bytes | dict[str, Any], method: str = "POST", **headers: str) -> Reply:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await request(
            self.exchange.gateway,
            method,
            f"/pipecat{path}",
            data,
            connect=self.exchange.network.connect,
            content_type="application/json",
            **headers,
        )

    async def offer(self, path: str = OFFER, key: str = "", **members: Any) -> Reply:
        offer = self.phone.peer.make_offer()
        self.phone.driver.pump()
        wish = {"sdp": offer, "type": "offer", "pc_id": self.pc_id, "restart_pc": False, **members}
        return await self.ask(path, wish, **({"authorization": f"Bearer {key}"} if key else {}))

    async def take(self, reply: Reply) -> None:
        assert reply.status == 200, reply.body
        answer = reply.document
        assert answer["type"] == "answer"
        self.pc_id = answer["pc_id"]
        self.phone.peer.accept_answer_untrusted(answer["sdp"], trio.current_time())
        self.phone.driver.pump()

    async def connect(self, path: str = OFFER, **members: Any) -> "Client":
        await self.take(await self.offer(path, **members))
        await eventually(lambda: CONNECTED in self.phone.events)
        assert self.phone.peer.channels is not None
        channel = self.channel = self.phone.peer.channels.open("chat")
        self.phone.driver.pump()
        await eventually(lambda: ChannelOpened(channel) in self.phone.events)
        self.say("client-ready", version="2.1.0", about={"library": "test"})
        await self.told("bot-ready")
        return self

    def say(self, kind: str, **data: Any) -> None:
        self.say_text(json.dumps({"id": "m1", "label": "rtvi-ai", "type": kind, "data": data}))

    def say_text(self, text: str) -> None:
        assert self.channel is not None
        self.channel.send_text(text)
        self.phone.driver.pump()

    def write(self, text: str) -> None:
        self.say("send-text", content=text, options={"run_immediately": True})

    @property
    def heard(self) -> list[dict[str, Any]]:
        return [json.loads(one.text) for one in self.phone.events if isinstance(one, TextReceived)]

    @property
    def kinds(self) -> list[str]:
        return [message["type"] for message in self.heard]

    async def told(self, kind: str, count: int = 1) -> dict[str, Any]:
        """Wait for the message of this type, the first or a later one."""
        await eventually(lambda: self.kinds.count(kind) >= count)
        return [message for message in self.heard if message["type"] == kind][count - 1]


PLUGIN = TestPlugin(test=agent)
ROUTES = '\n[routes]\nenabled = ["pipecat"]\n'
CONFIG = f'{PLUGIN.config()}{ROUTES}[routes.settings.pipecat]\ncampaign = "test"\n'


SERVERS = """
[ice_servers]
providers = ["static"]
[[ice_servers.settings.static.servers]]
urls = ["turn:127.0.0.1:9"]
username = "me"
credential = "secret"
"""


@pytest.fixture
async def exchange(tmp_path: Path) -> AsyncIterator[Exchange]:
    async with open_memory_exchange(tmp_path, CONFIG, [PLUGIN]) as exchange:
        yield exchange


@pytest.fixture
async def client(exchange: Exchange) -> Client:
    return await Client(exchange).connect()


async def test_a_call_is_made_and_hung_up(exchange: Exchange, autojump_clock: Clock) -> None:
    client = await Client(exchange).connect(requestData={"name": "Ada"})
    ready = await client.told("bot-ready")
    assert (ready["id"], ready["label"], ready["data"]["version"]) == ("m1", "rtvi-ai", "2.0.0")
    client.write("data")
    assert (await client.told("bot-llm-text"))["data"]["text"] == '{"name": "Ada"}'
    client.say("disconnect-bot")
    await eventually(lambda: not len(exchange.gateway.sessions))


async def test_a_bot_is_started_first_and_its_session_has_the_url_that_the_transport_makes(
    exchange: Exchange, autojump_clock: Clock
) -> None:
    client = Client(exchange)
    started = (await client.ask("/start", {"transport": "webrtc", "body": {"campaignId": "test", "x": 1}})).document
    assert started["iceConfig"] == {"iceServers": []}
    path = f"/sessions/{started['sessionId']}/api/offer"
    await client.connect(path)
    client.write("data")
    assert json.loads((await client.told("bot-llm-text"))["data"]["text"])["x"] == 1
    candidate = {"candidate": "candidate:1 1 udp 1 192.0.2.77 7777 typ host", "sdp_mid": "0", "sdp_mline_index": 0}
    ends = [{}, {"candidate": None, "sdp_mid": None, "sdp_mline_index": None}, {"candidate": "", "sdp_mid": "0"}]
    reply = await client.ask(path, {"pc_id": client.pc_id, "candidates": [candidate, *ends]}, "PATCH")
    assert reply.document == {"status": "success"}
    (session,) = exchange.gateway.sessions
    explained = await exchange.gateway.sessions.explain(session.info.session_id, session.info.principal)
    assert explained is not None
    assert "192.0.2.77" in explained


async def test_who_starts_a_bot_needs_to_say_nothing(exchange: Exchange, autojump_clock: Clock) -> None:
    for body in (b"", b" ", b"null", b"{}", b'{"body":null,"createDailyRoom":false}'):
        assert "sessionId" in (await Client(exchange).ask("/start", body)).document
    refused = (await Client(exchange).ask("/start", b'{"body":"Ada"}')).document
    assert refused["detail"].startswith("Correct the request: body: ")


async def test_a_client_offers_again_and_makes_a_new_peer_connection_of_the_same_call(
    exchange: Exchange, client: Client, autojump_clock: Clock
) -> None:
    await client.take(await client.offer())
    (before,) = exchange.gateway.sessions
    exchange.certificate = Certificate.generate()  # as pages have one for each connection
    again = Client(exchange)
    again.pc_id = client.pc_id
    await again.connect(restart_pc=True)
    assert list(exchange.gateway.sessions) == [before]
    again.write("hello")
    assert (await again.told("bot-llm-text"))["data"]["text"] == "HELLO"


async def test_what_another_process_may_have_is_asked_where_paths_lead_to_it(
    exchange: Exchange, autojump_clock: Clock
) -> None:
    client = Client(exchange)
    location = f"../sessions/{UNKNOWN}/api/offer"
    reply = await client.ask(OFFER, {"sdp": "v=0", "pc_id": UNKNOWN})
    assert (reply.status, reply.headers["location"]) == (307, f"{location}?else=new")
    reply = await client.ask(OFFER, {"pc_id": UNKNOWN, "candidates": []}, "PATCH")
    assert (reply.status, reply.headers["location"]) == (307, location)
    assert (await client.ask(location[2:], {"sdp": "v=0"})).document["code"] == "CALL_NOT_FOUND"


async def test_a_client_whose_call_is_lost_has_a_new_one_by_the_way_that_names_its_campaign(
    exchange: Exchange, client: Client, autojump_clock: Clock
) -> None:
    lost = client.pc_id
    client.say("disconnect-bot")
    await eventually(lambda: not len(exchange.gateway.sessions))
    again = Client(exchange)
    again.pc_id = lost
    assert (await again.ask(f"/sessions/{lost}/api/offer", {"sdp": "v=0"})).document["code"] == "CALL_NOT_FOUND"
    location = (await again.ask(OFFER, {"sdp": "v=0", "pc_id": lost})).headers["location"]
    await again.connect(location.removeprefix(".."), requestData={"campaignId": "test", "name": "Ada"})
    assert again.pc_id != lost
    again.write("data")
    assert json.loads((await again.told("bot-llm-text"))["data"]["text"])["name"] == "Ada"


class Sister:
    """A cluster in which another node has all sessions that this one does not have."""

    @hookimpl
    def join_cluster(self, seat: Seat) -> "Sister":
        return self

    async def place(self, wish: SessionWish) -> RouteResponse | None:
        return None

    async def seconds_to_wait(self, what: str, client: str, per_minute: int) -> float | None:
        return None

    async def find(self, session_id: str) -> Whereabouts:
        return Whereabouts(url="https://b.example") if session_id == UNKNOWN else Whereabouts()


async def test_a_call_of_another_node_is_asked_for_there(tmp_path: Path, autojump_clock: Clock) -> None:
    config = f'{CONFIG}\n[extensions]\nenabled = ["Sister"]\n'
    async with open_memory_exchange(tmp_path, config, [PLUGIN, Sister()]) as exchange:
        client = Client(exchange)
        path = f"/sessions/{UNKNOWN}/api/offer"
        for method, query in (("POST", ""), ("POST", "?else=new"), ("PATCH", "")):
            reply = await client.ask(f"{path}{query}", {"sdp": "v=0", "candidates": []}, method)
            assert (reply.status, reply.headers["location"]) == (307, f"https://b.example/pipecat{path}{query}")


async def test_what_is_said_is_told_as_bots_of_pipecat_tell_it(client: Client, autojump_clock: Clock) -> None:
    client.write("speak")
    await client.told("bot-tts-stopped")
    assert client.kinds[1:] == [
        "bot-llm-started",
        "bot-llm-stopped",
        "bot-tts-started",
        "bot-started-speaking",
        *["bot-llm-text", "bot-output", "bot-tts-text"] * 2,
        *["bot-output"] * 2,
        "bot-transcription",
        "bot-stopped-speaking",
        "bot-tts-stopped",
    ]
    outputs = [message["data"] for message in client.heard if message["type"] == "bot-output"]
    assert [(one["segment_id"], one["text"], one["spoken_status"]) for one in outputs] == [
        (1, "Good", "new"),
        (2, " day.", "new"),
        (1, "Good", "completed"),
        (2, " day.", "completed"),
    ]
    assert outputs[1]["spoken_progress"] == {"accumulated_text": "", "remaining_text": " day."}


async def test_an_interruption_leaves_what_was_heard(client: Client, autojump_clock: Clock) -> None:
    client.write("be interrupted")
    assert (await client.told("bot-transcription"))["data"]["text"] == "Good d"
    last = (await client.told("bot-output", 4))["data"]
    assert last["spoken_status"] == "in-progress"
    assert last["spoken_progress"] == {"accumulated_text": " d", "remaining_text": "ay."}


async def test_a_text_is_an_output_that_is_not_spoken(client: Client, autojump_clock: Clock) -> None:
    client.write("hello")
    output = await client.told("bot-output")
    assert output["data"] == {"text": "HELLO", "aggregated_by": "sentence", "segment_id": 1, "will_be_spoken": False}
    await client.told("bot-llm-stopped")


async def test_messages_of_a_page_are_answered_by_its_agent(client: Client, autojump_clock: Clock) -> None:
    client.say("client-message", t="price", d=[0] * 1950)
    assert (await client.told("server-response"))["data"] == {"t": "price", "d": [0] * 1950}
    client.say("client-message", t="price", d={"of": "tea"})
    response = await client.told("server-response", 2)
    assert (response["id"], response["data"]) == ("m1", {"t": "price", "d": {"of": "tea"}})
    client.write("notify")
    assert (await client.told("server-message"))["data"] == {"type": "weather", "data": {"sky": "blue"}}


async def test_functions_of_the_client_are_called(client: Client, autojump_clock: Clock) -> None:
    client.write("ask")
    called = (await client.told("llm-function-call-in-progress"))["data"]
    assert called == {"function_name": "clock", "tool_call_id": "c1", "arguments": {"zone": "UTC"}}
    result = {"function_name": "clock", "tool_call_id": "c1", "arguments": {}}
    client.say("llm-function-call-result", **result, result="x" * 15_500)
    assert "15360 bytes" in (await client.told("error-response"))["data"]["error"]
    client.say("llm-function-call-result", **result, result="noon")
    assert (await client.told("bot-output"))["data"]["text"] == "It is noon."
    assert (await client.told("llm-function-call-stopped"))["data"]["result"] == "noon"
    client.say("llm-function-call-result", **result, result="noon")
    assert "tool_call_id" in (await client.told("error-response", 2))["data"]["error"]


async def test_a_conversation_is_told_turn_by_turn(tmp_path: Path, autojump_clock: Clock) -> None:
    talker = TestPlugin(test=conversation(settings(Mind("It is five."), ear=Ear(["What time is it?"]), mouth=Mouth())))
    async with open_memory_exchange(tmp_path, talker.config() + ROUTES, [talker]) as exchange:
        client = Client(exchange)
        client.phone.speaking = False
        await client.connect(request_data={"campaignId": "test"})
        client.phone.speaking = True
        await trio.sleep(1)
        client.phone.speaking = False
        await client.told("bot-stopped-speaking")
        shown = ("user-started-speaking", "user-stopped-speaking", "user-llm-text", "bot-started-speaking")
        assert [kind for kind in client.kinds if kind in shown] == list(shown)
        said = [message["data"] for message in client.heard if message["type"] == "user-transcription"]
        assert (said[-1]["text"], said[-1]["final"]) == ("What time is it?", True)
        assert (await client.told("bot-transcription"))["data"]["text"] == "It is five."


def _to_agent(content: Any) -> str:
    return json.dumps({"type": "client-message", "label": "rtvi-ai", "id": "m1", "data": {"t": "", "d": content}})


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("nonsense", "error"),
        ("[]", "error"),
        ('{"type":7}', "error"),
        ("[" * 20_000, "error"),
        ('{"type":"' + "x" * MAX_MESSAGE_BYTES + '"}', "error"),
        ('{"type":"x","label":"rtvi-ai","id":"' + "x" * 65 + '"}', "error"),
        ('{"type":"ui-event","label":"rtvi-ai","id":"m1"}', "error-response"),
        ('{"type":"send-text","label":"rtvi-ai","id":"m1"}', "error-response"),
        ('{"type":"send-text","label":"rtvi-ai","id":"m1","data":[]}', "error-response"),
        ('{"type":"client-message","label":"rtvi-ai","id":"m1","data":{"t":1}}', "error-response"),
        ('{"type":"client-message","label":"rtvi-ai","data":{"t":"","d":"' + "x" * 16_000 + '"}}', "error-response"),
        (_to_agent([0] * 3000), "error-response"),
        (_to_agent([{}] * 3000), "error-response"),
        (_to_agent({str(number): {} for number in range(1001)} | {"": [0] * 1000}), "error-response"),
        (
            '{"type":"client-message","label":"rtvi-ai","data":{"t":"","d":%s}}' % ("[" * 70 + "]" * 70),
            "error-response",
        ),
        ('{"type":"llm-function-call-result","label":"rtvi-ai","id":"m1","data":{}}', "error-response"),
    ],
)
async def test_bad_messages_are_answered_and_the_call_goes_on(
    said: str, kind: str, client: Client, autojump_clock: Clock
) -> None:
    client.say_text(said)
    assert (await client.told(kind))["data"]["error"]
    client.write("still there")
    await client.told("bot-output")


async def test_a_client_is_told_that_its_agent_has_left(client: Client, autojump_clock: Clock) -> None:
    client.write("bye")
    assert (await client.told("signalling"))["message"] == {"type": "peerLeft"}


async def test_pings_and_the_state_of_tracks_are_not_answered(client: Client, autojump_clock: Clock) -> None:
    client.say_text("ping: 1764312000000")
    client.say_text('{"type":"signalling","message":{"type":"trackStatus","receiver_index":0,"enabled":false}}')
    client.write("hello")
    await client.told("bot-llm-stopped")
    assert client.kinds == ["bot-ready", "bot-llm-started", "bot-llm-text", "bot-output", "bot-llm-stopped"]


async def test_a_call_is_of_who_has_made_it(tmp_path: Path, autojump_clock: Clock) -> None:
    config = CONFIG.replace('[auth]\nscheme = "anonymous"\n', KEYS)
    async with open_memory_exchange(tmp_path, config, [PLUGIN]) as exchange:
        client = Client(exchange)
        assert (await client.ask("/start", b"{}")).status == 401
        assert (await client.offer()).status == 401
        client = Client(exchange)
        await client.take(await client.offer(key=KEY))
        (session,) = exchange.gateway.sessions
        assert session.info.principal.name == "shop"
        body: dict[str, Any] = {"pc_id": client.pc_id, "sdp": "v=0", "candidates": []}
        for path in (OFFER, f"/sessions/{client.pc_id}/api/offer"):
            for method in ("POST", "PATCH"):
                assert (await client.ask(path, body, method, authorization=f"Bearer {KEY[::-1]}")).status == 404
                assert (await client.ask(path, body, method)).status == 401
            assert (await client.ask(path, body, "PATCH", authorization=f"Bearer {KEY}")).status == 200


async def test_pages_of_allowed_origins_may_call_and_send_candidates(exchange: Exchange, autojump_clock: Clock) -> None:
    page = {"origin": "http://127.0.0.1:3000"}
    client = Client(exchange)
    asked = {"access_control_request_method": "PATCH", "access_control_request_headers": "authorization,content-type"}
    preflight = await client.ask(OFFER, b"", "OPTIONS", **page, **asked)
    assert "PATCH" in preflight.headers["access-control-allow-methods"]
    assert preflight.headers["access-control-allow-headers"] == "authorization,content-type"
    refused = await client.ask(OFFER, b"{}", **page)
    assert refused.headers["access-control-allow-origin"] == page["origin"]
    assert (await client.ask(OFFER, b"{}", origin="https://evil.example")).status == 403


async def test_call_that_has_ended_is_freed_without_a_garbage_collector(
    exchange: Exchange, autojump_clock: Clock
) -> None:
    gc.collect()
    gc.disable()
    try:
        client = await Client(exchange).connect()
        leg = weakref.ref(next(iter(exchange.gateway.sessions)).leg)
        client.say("disconnect-bot")
        await eventually(lambda: not len(exchange.gateway.sessions))
        await trio.sleep(10)
        assert leg() is None
    finally:
        gc.enable()


async def test_the_answer_waits_for_servers_which_the_client_is_given(tmp_path: Path, autojump_clock: Clock) -> None:
    async with open_memory_exchange(tmp_path, CONFIG + SERVERS, [PLUGIN]) as exchange:
        client = Client(exchange)
        started = (await client.ask("/start", b"{}")).document
        (server,) = started["iceConfig"]["iceServers"]
        assert (server["urls"], server["username"]) == (["turn:127.0.0.1:9"], "me")
        began_at = trio.current_time()
        await client.connect(f"/sessions/{started['sessionId']}/api/offer")
        assert 0.3 <= trio.current_time() - began_at < 1.5


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("POST", OFFER, b"nonsense", 400, "INVALID_REQUEST"),
        ("POST", OFFER, b"\xff", 400, "INVALID_REQUEST"),
        ("POST", OFFER, b"{}", 400, "INVALID_REQUEST"),
        ("POST", OFFER, b'{"sdp":"v=0","requestData":7}', 400, "INVALID_REQUEST"),
        ("POST", OFFER, b'{"sdp":"v=0","requestData":{"campaignId":7}}', 400, "INVALID_REQUEST"),
        ("POST", OFFER, b'{"sdp":"v=0","requestData":["%s"]}' % (b"x" * MAX_DATA_BYTES), 400, "INVALID_REQUEST"),
        ("POST", OFFER, b'{"sdp":"%s"}' % (b"x" * MAX_BYTES), 400, "INVALID_REQUEST"),
        ("POST", OFFER, b'{"sdp":"nonsense"}', 400, "MALFORMED"),
        ("POST", OFFER, b'{"sdp":"v=0","pc_id":"../../x"}', 404, "CALL_NOT_FOUND"),
        ("POST", OFFER, b'{"sdp":"v=0","requestData":{"campaignId":"nobody"}}', 404, "UNKNOWN_CAMPAIGN"),
        ("POST", "/start", b"[]", 400, "INVALID_REQUEST"),
        ("POST", "/start", b'{"body":{"campaignId":"nobody"}}', 404, "UNKNOWN_CAMPAIGN"),
        ("PATCH", OFFER, b'{"pc_id":null,"candidates":[]}', 404, "CALL_NOT_FOUND"),
        ("PATCH", OFFER, b'{"candidates":[%s{}]}' % (b"{}," * MAX_CANDIDATES), 400, "INVALID_REQUEST"),
        ("PATCH", "/sessions/nothing/api/offer", b'{"candidates":[]}', 404, "CALL_NOT_FOUND"),
    ],
)
async def test_refusals_are_worded_as_clients_know_them(
    method: str, path: str, body: bytes, status: int, code: str, exchange: Exchange, autojump_clock: Clock
) -> None:
    reply = await Client(exchange).ask(path, body, method)
    assert (reply.status, reply.document["code"]) == (status, code), reply.document
    assert reply.document.keys() == {"detail", "code"}
    assert not len(exchange.gateway.sessions)


TEXTS = st.text('{}[]":,1e9\\u', max_size=300).map(str.encode)


@given(st.binary(max_size=300) | TEXTS | TEXTS.map(lambda text: b'{"sdp":"","candidates":[],"requestData":%s' % text))
def test_bodies_are_read_or_refused(body: bytes) -> None:
    """Fuzz: no other error comes of parse_offer_untrusted, parse_candidates_untrusted, parse_start_untrusted."""
    with suppress(Malformed):
        assert isinstance(parse_offer_untrusted(body)[0], Offer)
    with suppress(Malformed):
        assert len(parse_candidates_untrusted(body).candidates) <= MAX_CANDIDATES
    with suppress(Malformed):
        json.dumps(parse_start_untrusted(body))


@given(st.text(max_size=300) | TEXTS.map(lambda text: f'{{"type":"x","data":{text.decode()}'))
def test_messages_are_read_or_refused(text: str) -> None:
    """Fuzz: nothing but Malformed comes of ``parse_message_untrusted``."""
    with suppress(Malformed):
        assert isinstance(parse_message_untrusted(text), Message)
