"""The dialect of Iqra AI: its clients have whole calls, and what they cannot have is said in its own words."""

import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import trio.testing
from glottis import Malformed
from glottis_iqra.answers import IDS, URLS
from glottis_iqra.wishes import read_wish_untrusted
from hypothesis import given
from hypothesis import strategies as st
from support.gateway import CONFIG
from support.http import Reply, request
from support.memory import open_memory_exchange
from support.phone import Exchange, eventually

ROUTES = CONFIG + '\n[routes]\nenabled = ["iqra", "iqra-widget"]\n'
INITIATE = "/api/v1/business/42/websession/initiate"
REQUEST = "/api/session/request"
KEY = "iqra_sk_12345abcdef"
WEBRTC = {"webCampaignId": "echo", "transportType": 1}
OPUS = {"audioEncodingType": 7, "sampleRate": 48000, "bitsPerSample": 16, "audioEncodingFallbackMode": 0}
OF_THE_MIDDLEWARE = {
    "TransportType": 1,
    "WebCampaignId": "echo",
    "RegionId": "EU-DE",
    "ClientIdentifier": "user-1_192.0.2.7",
    "AudioInputConfiguration": {"SampleRate": 8000, "BitsPerSample": 8, "AudioEncodingType": 3},
    "AudioOutputConfiguration": {"SampleRate": 8000, "BitsPerSample": 8, "AudioEncodingType": 4, "FrameDurationMs": 30},
    "DynamicVariables": {"userName": "Ada"},
    "Metadata": None,
}
"""As .NET writes it, with the names of its properties."""
OF_THE_WIDGET = {
    "campaignId": "echo",
    "regionId": "EU-DE",
    "transportType": 0,
    "dynamicVariables": {},
    "metadata": {"source": "homepage_widget"},
    "audioConfiguration": {
        "inputEncodingType": 1,
        "inputSampleRate": 16000,
        "inputBitsPerSample": 16,
        "outputEncodingType": 1,
        "outputSampleRate": 16000,
        "outputBitsPerSample": 16,
    },
}
Clock = trio.testing.MockClock


@pytest.fixture
async def exchange(tmp_path: Path) -> AsyncIterator[Exchange]:
    async with open_memory_exchange(tmp_path, ROUTES) as exchange:
        yield exchange


async def ask(exchange: Exchange, path: str, wish: Any, media_type: str = "application/json", **headers: str) -> Reply:
    body = wish if isinstance(wish, bytes) else json.dumps(wish).encode()
    connect = exchange.network.connect
    return await request(exchange.gateway, "POST", path, body, connect=connect, content_type=media_type, **headers)


async def test_client_of_the_api_has_a_call_by_a_url_without_a_query(exchange: Exchange, autojump_clock: Clock) -> None:
    reply = await ask(exchange, INITIATE, OF_THE_MIDDLEWARE)
    assert (reply.status, reply.document["success"], reply.document["message"]) == (200, True, None)
    data = reply.document["data"]
    assert len({data[name] for name in URLS}) == len({data[name] for name in IDS}) == 1
    url = urlsplit(data["sessionWebSocketURL"])
    assert url.path.startswith(f"/ws/session/{data['sessionId']}/webrtc/caller/")
    assert not url.query
    phone = exchange.phone()
    phone.url = url.geturl()
    await phone.open_socket()
    await phone.negotiate()
    await phone.hear()
    (session,) = exchange.gateway.sessions
    info = session.info
    assert (info.business_id, info.client_identifier, info.dynamic_variables) == (
        42,
        "user-1_192.0.2.7",
        {"userName": "Ada"},
    )
    assert (info.input.codec, info.output.codec, info.output.frame_ms) == ("PCMU", "PCMA", 30)
    await phone.hang_up()
    await eventually(lambda: not len(exchange.gateway.sessions))


async def test_middleware_finds_room_for_calls(exchange: Exchange, autojump_clock: Clock) -> None:
    async def tell(path: str) -> Any:
        return (await request(exchange.gateway, "GET", path, connect=exchange.network.connect)).document["data"]

    used = (await tell("/api/v1/user/billing/usage"))["currentUsage"]["Call_Concurrency"]
    assert used < (await tell("/api/v1/user/billing/featuresactivequantity"))["Call_Concurrency"]


async def test_widget_has_sound_by_its_websocket(exchange: Exchange, autojump_clock: Clock) -> None:
    reply = await ask(exchange, REQUEST, OF_THE_WIDGET)
    assert reply.status == 200
    phone = exchange.phone()
    socket = await phone.open_socket(reply.document["webSocketUrl"])
    for _ in range(50):
        await socket.send(bytes(range(64)) * 10)
        await trio.sleep(0.02)
    assert len(socket.heard) >= 640
    (session,) = exchange.gateway.sessions
    assert session.info.metadata == {"source": "homepage_widget"}


async def test_key_of_the_dialect_is_a_bearer_token_to_the_auth_scheme(tmp_path: Path, autojump_clock: Clock) -> None:
    keys = ROUTES.replace('"anonymous"', '"api-keys"', 1) + f'\n[auth.settings.plain_keys]\nwebsite = "{KEY}"\n'
    async with open_memory_exchange(tmp_path, keys) as exchange:
        for words in (f"Token {KEY}", f"token  {KEY}", KEY):
            assert (await ask(exchange, INITIATE, WEBRTC, authorization=words)).document["success"]
        assert (await ask(exchange, REQUEST, WEBRTC, authorization=f"Bearer {KEY}")).status == 200
        refused = await ask(exchange, INITIATE, WEBRTC, authorization="Token another")
        assert (refused.status, refused.document["success"]) == (200, False)
        assert refused.document["code"] == "InitiateWebSession:UNAUTHENTICATED"
        (first, *_) = exchange.gateway.sessions
        assert first.info.principal.name == "website"


@pytest.mark.parametrize(
    ("wish", "media_type", "status", "code", "named"),
    [
        (WEBRTC, "text/plain", 415, "UNSUPPORTED_MEDIA_TYPE", "application/json"),
        (b"nonsense", "application/json", 400, "MALFORMED", "the body"),
        (b'{"webCampaignId": "\xff"}', "application/json", 400, "MALFORMED", "webCampaignId"),
        ({}, "application/json", 400, "MISSING_FIELD", "campaignId"),
        ({**WEBRTC, "webCampaignId": "nobody"}, "application/json", 404, "UNKNOWN_CAMPAIGN", "campaignId"),
        ({**WEBRTC, "transportType": 2}, "application/json", 400, "MALFORMED", "transportType: expected 0 (WebSocket)"),
        ({**WEBRTC, "clientIdentifier": "a/b"}, "application/json", 400, "INVALID_FIELD", "clientIdentifier"),
        (
            {**WEBRTC, "audioInputConfiguration": {**OPUS, "audioEncodingType": 6}},
            "application/json",
            400,
            "MALFORMED",
            "audioInputConfiguration.audioEncodingType: expected 7 (OPUS)",
        ),
    ],
)
async def test_refusals_are_those_of_the_dialect(
    wish: Any, media_type: str, status: int, code: str, named: str, exchange: Exchange, autojump_clock: Clock
) -> None:
    of_the_api = await ask(exchange, INITIATE, wish, media_type)
    assert (of_the_api.status, of_the_api.document["success"], of_the_api.document["data"]) == (200, False, None)
    assert of_the_api.document["code"] == f"InitiateWebSession:{code}"
    assert named in of_the_api.document["message"]
    of_the_middleware = await ask(exchange, REQUEST, wish, media_type)
    assert (of_the_middleware.status, of_the_middleware.document["code"]) == (status, code)
    assert of_the_middleware.document["message"] == of_the_api.document["message"]
    assert len(exchange.gateway.sessions) == 0


@pytest.mark.parametrize("folder", ["/api/v1", "/api/session"])
async def test_what_the_gateway_refuses_is_worded_alike(folder: str, exchange: Exchange, autojump_clock: Clock) -> None:
    reply = await ask(exchange, f"{folder}/nowhere", {})
    assert reply.status == 404
    assert reply.document["message"] == "Use a path that the gateway serves."
    assert reply.document["code"].endswith("NOT_FOUND")
    assert reply.document.get("success", False) is False


async def test_who_finds_no_room_is_told_when_to_come_back(tmp_path: Path, autojump_clock: Clock) -> None:
    config = ROUTES.replace("[server]\n", "[server]\nmax_sessions = 1\nqueue = 5\n")
    async with open_memory_exchange(tmp_path, config) as exchange:
        assert (await ask(exchange, REQUEST, WEBRTC)).status == 200
        reply = await ask(exchange, REQUEST, WEBRTC)
    assert (reply.status, reply.headers["retry-after"], reply.document["code"]) == (503, "10", "FULL")


async def test_token_in_a_path_is_not_logged(
    exchange: Exchange, caplog: pytest.LogCaptureFixture, autojump_clock: Clock
) -> None:
    caplog.set_level(logging.DEBUG)
    url = urlsplit((await ask(exchange, REQUEST, WEBRTC)).document["webSocketUrl"])
    reply = await request(exchange.gateway, "GET", url.path, connect=exchange.network.connect)
    assert reply.document["code"] == "UPGRADE_REQUIRED"
    await exchange.phone().open_socket(url.geturl())
    token = url.path.rpartition("/")[2]
    path, session_id = url.path, url.path.split("/")[3]
    odd_paths = (f"{path}/", f"/{path}", path.replace("/caller/", "//"), f"/voice{path}")
    much_odder_paths = (
        path.replace("session", "sesion"),
        f"/ws/session/{session_id}/webrtc%3Ftoken={token}",
        f"/{token}",
    )
    for odd in (*odd_paths, *much_odder_paths):
        assert (await request(exchange.gateway, "GET", odd, connect=exchange.network.connect)).status in (404, 426)
    assert "/webrtc" in caplog.text
    assert token not in caplog.text
    assert token.partition(".")[2] not in caplog.text


@pytest.mark.parametrize(
    ("of_the_dialect", "meant"),
    [
        ({"TransportType": "1"}, {"transportType": "WebRTC"}),
        ({"transporttype": "WebRTC"}, {"transportType": "WebRTC"}),
        ({}, {"transportType": "WebSocket"}),
        (
            {"audioOutputConfiguration": {"frameDurationMs": 150}},
            {"audioConfig": {"output": {"codec": "PCM", "frameDurationMs": 120}}},
        ),
        (
            {"audioConfiguration": {"outputEncodingType": "MULAW", "outputSampleRate": "8000"}},
            {"audioConfig": {"input": {"codec": "PCM"}, "output": {"codec": "PCMU", "sampleRate": 8000}}},
        ),
        ({"clientIdentifier": ""}, {}),
    ],
)
def test_spellings_of_a_wish(of_the_dialect: dict[str, Any], meant: dict[str, Any]) -> None:
    wish = read_wish_untrusted(json.dumps({"campaignId": "echo", **of_the_dialect}).encode())
    assert wish == {"campaignId": "echo", "transportType": "WebSocket", "audioConfig": {}} | meant


NAMES = st.sampled_from(["campaignId", "TransportType", "audioConfiguration", "inputEncodingType", "metadata", "x"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=10,
)


@given(st.binary(max_size=100) | VALUES.map(lambda value: json.dumps(value).encode()))
def test_wishes_are_read_or_refused(body: bytes) -> None:
    """Fuzz: nothing but Malformed comes of ``read_wish_untrusted``."""
    try:
        wish = read_wish_untrusted(body)
    except Malformed:
        return
    assert isinstance(wish["transportType"], str)
