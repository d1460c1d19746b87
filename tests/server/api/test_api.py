import json
import logging
from typing import Any

import pytest
import trio
import trio.lowlevel
import trio.testing
from glottis.contracts.pages import Page
from glottis.plugins.pages import check_pages
from glottis.server.api.origins import Origins
from glottis.server.api.routes import Api
from glottis.server.http.rate_limit import RateLimiter
from glottis.server.http.server import HttpServer
from glottis.server.sessions.admission import Unavailable
from support.api import PAGE, TOKEN, Keys, Store, problem

INITIATE = "/api/websession/initiate"
BODY = json.dumps({"businessId": 12345, "campaignId": "campaign-abc"}).encode()
JSON = {"content_type": "application/json"}
GOOD = {**JSON, "authorization": "Bearer good"}


async def test_session_is_created(serve: Any, store: Store) -> None:
    reply = await serve().request("POST", INITIATE, body=BODY, **GOOD)
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    assert reply.headers["cache-control"] == "no-store"
    assert json.loads(reply.body) == {
        "sessionId": "s-1",
        "websocketUrl": f"ws://gateway.example/ws/session/s-1/webrtc?token={TOKEN}",
        "expiresAt": "2027-01-15T08:00:00Z",
        "iceServers": [
            {"urls": ["stun:stun.example"]},
            {"urls": ["turn:turn.example"], "username": "u", "credential": "c"},
        ],
    }
    request, principal, _, _ = store.created[0]
    assert (request.business_id, request.campaign_id, principal.name) == (12345, "campaign-abc", "tester")


async def test_scheme_is_told_the_campaign_and_strangers_nothing_of_their_mistakes(serve: Any, keys: Keys) -> None:
    client = serve()
    await client.request("POST", INITIATE, body=BODY, **GOOD)
    await client.request("GET", "/api/sessions/s-1/trace", authorization="Bearer good")
    assert problem(await client.request("POST", INITIATE, body=b"{", **JSON)) == (401, "UNAUTHENTICATED")
    assert problem(await client.request("POST", INITIATE, body=b'{"campaignId":"other"}', **GOOD)) == (
        404,
        "UNKNOWN_CAMPAIGN",
    )
    assert keys.campaigns == ["campaign-abc", None, None, "other"]


async def test_media_type_may_have_parameters(serve: Any) -> None:
    fields = GOOD | {"content_type": "Application/JSON; charset=utf-8"}
    assert (await serve().request("POST", INITIATE, body=BODY, **fields)).status == 200


@pytest.mark.parametrize(
    ("fields", "body", "status", "code"),
    [
        (JSON, BODY, 401, "UNAUTHENTICATED"),
        (JSON | {"authorization": "Bearer bad"}, BODY, 401, "UNAUTHENTICATED"),
        (JSON | {"authorization": "Bearer schön"}, BODY, 401, "UNAUTHENTICATED"),
        (JSON | {"authorization": "Bearer sch\udcf6n"}, BODY, 401, "UNAUTHENTICATED"),
        (JSON | {"authorization": "Bearer known"}, BODY, 403, "FORBIDDEN"),
        ({"authorization": "Bearer good"}, BODY, 415, "UNSUPPORTED_MEDIA_TYPE"),
        (GOOD | {"content_type": "text/plain"}, BODY, 415, "UNSUPPORTED_MEDIA_TYPE"),
        (GOOD | {"content_type": "application/jsön"}, BODY, 415, "UNSUPPORTED_MEDIA_TYPE"),
        (GOOD, b"{", 400, "MALFORMED_JSON"),
        (GOOD, b"", 400, "MALFORMED_JSON"),
        (GOOD, b"{}", 400, "MISSING_FIELD"),
        (GOOD, b'{"campaignId":"campaign-abc","transportType":"SIP"}', 400, "UNSUPPORTED_TRANSPORT"),
        (GOOD, b'{"campaignId":"other"}', 404, "UNKNOWN_CAMPAIGN"),
        (GOOD, b'{"campaignId":"' + b"a" * 70000 + b'"}', 413, "BODY_TOO_LARGE"),
        (GOOD | {"origin": "https://evil.example"}, BODY, 403, "ORIGIN_NOT_ALLOWED"),
    ],
)
async def test_refusal_says_why(
    fields: dict[str, str], body: bytes, status: int, code: str, serve: Any, store: Store
) -> None:
    reply = await serve().request("POST", INITIATE, body=body, **fields)
    assert problem(reply) == (status, code)
    assert ("www-authenticate" in reply.headers) == (status == 401)
    assert not store.created


@pytest.mark.parametrize(
    ("authorization", "status", "detail"),
    [
        ("Bearer known", 403, "Ask for the right to create sessions."),
        ("Bearer mute", 403, "Use credentials that may create sessions."),
        ("Bearer old", 401, "Send a newer key."),
        ("Bearer \udcff", 403, "There is no key ?."),
        ("Bearer bad", 401, "Send credentials that the gateway knows."),
    ],
)
async def test_auth_scheme_tells_the_client_what_to_change(
    authorization: str, status: int, detail: str, serve: Any
) -> None:
    reply = await serve().request("POST", INITIATE, body=BODY, **(JSON | {"authorization": authorization}))
    assert (reply.status, json.loads(reply.body)["detail"]) == (status, detail)
    assert ("www-authenticate" in reply.headers) == (status == 401)


async def test_client_that_asks_too_often_is_told_to_wait(autojump_clock: trio.testing.MockClock, serve: Any) -> None:
    client = serve(rate_limiter=RateLimiter(per_minute=30, burst=2))
    for _ in range(2):
        assert (await client.request("POST", INITIATE, body=BODY, **GOOD)).status == 200
    reply = await client.request("POST", INITIATE, body=BODY, **GOOD)
    assert problem(reply) == (429, "RATE_LIMITED")
    await trio.sleep(int(reply.headers["retry-after"]))
    assert (await client.request("POST", INITIATE, body=BODY, **GOOD)).status == 200


@pytest.mark.parametrize("code", ["FULL", "OVERLOADED", "DRAINING", "STARTING"])
async def test_gateway_that_can_take_no_more_says_when_to_retry(code: str, serve: Any, store: Store) -> None:
    store.unavailable = Unavailable(code, "Try again later")
    client = serve()
    reply = await client.request("POST", INITIATE, body=BODY, **GOOD)
    assert problem(reply) == (503, code)
    assert int(reply.headers["retry-after"]) > 0
    assert problem(await client.request("GET", "/readyz")) == (503, code)
    assert (await client.request("GET", "/healthz")).status == 200


async def test_probes(serve: Any) -> None:
    client = serve()
    assert (await client.request("GET", "/healthz")).body == b"ok\n"
    assert (await client.request("GET", "/readyz")).body == b"ready\n"
    assert (await client.request("HEAD", "/healthz")).status == 200


async def test_base_url_is_the_configured_one(serve: Any, store: Store) -> None:
    await serve(public_url="https://voice.example/").request("POST", INITIATE, body=BODY, **GOOD)
    assert store.created[0][3].rstrip("/") == "wss://voice.example"


async def test_base_url_is_what_a_trusted_proxy_says(store: Store, serve: Any, nursery: trio.Nursery) -> None:
    api = Api(store, Keys(), origins=Origins(), rate_limiter=RateLimiter(per_minute=60, burst=9))

    async def unused(request: object, websocket: object) -> None:
        raise AssertionError

    server = HttpServer(
        handle_request=api.handle_request,
        handle_websocket=unused,
        accept_websocket=api.accept_websocket,
        trusted_proxies=["127.0.0.1"],
    )
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    await nursery.start(server.serve, listeners)
    stream = await trio.open_tcp_stream("127.0.0.1", listeners[0].socket.getsockname()[1])
    client = type(serve())(stream)
    proxied = {"x_forwarded_proto": "https", "x_forwarded_host": "voice.example", "x_forwarded_for": "192.0.2.7"}
    assert (await client.request("POST", INITIATE, body=BODY, **GOOD, **proxied)).status == 200
    assert store.created[0][2:] == ("192.0.2.7", "wss://voice.example")
    await stream.aclose()


async def test_preflight_lets_an_allowed_page_ask(serve: Any) -> None:
    client = serve()
    wanted = {"access_control_request_method": "POST", "access_control_request_headers": "content-type, x-api-key"}
    reply = await client.request("OPTIONS", INITIATE, origin=PAGE, **wanted)
    assert reply.status == 204
    assert reply.headers["access-control-allow-origin"] == PAGE
    assert "POST" in reply.headers["access-control-allow-methods"]
    assert reply.headers["access-control-allow-headers"] == "content-type, x-api-key"
    assert reply.headers["vary"] == "origin"
    assert "access-control-allow-credentials" not in reply.headers


async def test_preflight_of_another_page_is_refused(serve: Any) -> None:
    wanted = {"access_control_request_method": "POST"}
    reply = await serve().request("OPTIONS", INITIATE, origin="https://evil.example", **wanted)
    assert problem(reply) == (403, "ORIGIN_NOT_ALLOWED")
    assert "access-control-allow-origin" not in reply.headers


async def test_allowed_page_can_read_errors_too(serve: Any) -> None:
    reply = await serve().request("POST", INITIATE, body=b"{", origin=PAGE, **GOOD)
    assert reply.status == 400
    assert reply.headers["access-control-allow-origin"] == PAGE


async def test_page_of_the_gateway_itself_needs_no_permission(serve: Any) -> None:
    reply = await serve().request("POST", INITIATE, body=BODY, origin="http://gateway.example", **GOOD)
    assert reply.status == 200


async def test_page_of_the_gateway_under_another_name_gets_a_websocket_there(serve: Any, store: Store) -> None:
    client = serve(public_url="https://voice.example")
    fields = GOOD | {"origin": "http://lab.example:8080", "host": "lab.example:8080"}
    assert (await client.request("POST", INITIATE, body=BODY, **fields)).status == 200
    assert store.created[0][3] == "ws://lab.example:8080"


async def test_page_under_the_public_url_needs_no_permission_whatever_the_proxy_calls_us(serve: Any) -> None:
    client = serve(public_url="https://voice.example")
    reply = await client.request("POST", INITIATE, body=BODY, origin="https://voice.example", **GOOD)
    assert reply.status == 200


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", INITIATE, "POST, OPTIONS"),
        ("POST", "/", "GET, HEAD, OPTIONS"),
        ("DELETE", "/healthz", "GET, HEAD, OPTIONS"),
    ],
)
async def test_wrong_method_is_told_the_right_ones(method: str, path: str, allow: str, serve: Any) -> None:
    reply = await serve().request(method, path, body=b"" if method == "POST" else None)
    assert problem(reply) == (405, "METHOD_NOT_ALLOWED")
    assert reply.headers["allow"] == allow


def test_every_path_of_the_gateways_own_is_reserved(store: Store) -> None:
    api = Api(store, Keys(), origins=Origins(), rate_limiter=RateLimiter(per_minute=1, burst=1))
    for path in (*api._routes, "/ws/session/s-1/webrtc"):
        with pytest.raises(ValueError, match="gateway's own"):
            check_pages({path: Page(b"", "text/plain")})


@pytest.mark.parametrize("path", ["/nothing", "/..", "/api", INITIATE + "/", "/demo.js/"])
async def test_unknown_path_is_not_found(path: str, serve: Any) -> None:
    assert problem(await serve().request("GET", path)) == (404, "NOT_FOUND")


async def test_slash_too_many_is_told_as_such(serve: Any) -> None:
    for path in ("/demo.js/", f"{INITIATE}//"):
        reply = await serve().request("GET", path)
        assert json.loads(reply.body)["detail"] == "Leave out the slash at the end of the path."
    reply = await serve().request("GET", "/" * 8000)
    assert json.loads(reply.body)["detail"] == "Use a path that the gateway serves."


async def test_page_is_served_with_validator_and_safe_headers(serve: Any) -> None:
    client = serve()
    reply = await client.request("GET", "/?x=1")
    assert (reply.status, reply.body) == (200, b"<h1>hi</h1>")
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert reply.headers["x-content-type-options"] == "nosniff"
    policy = reply.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "connect-src 'self' ws: wss:" in policy
    entity_tag = reply.headers["etag"]
    for condition in (entity_tag, f'"other", W/{entity_tag}', "*"):
        cached = await client.request("GET", "/", if_none_match=condition)
        assert (cached.status, cached.body, cached.headers["etag"]) == (304, b"", entity_tag)
    assert (await client.request("GET", "/", if_none_match='"other"')).status == 200
    head = await client.request("HEAD", "/")
    assert (head.status, head.headers["content-length"], head.body) == (200, "11", b"")


async def test_session_url_without_websocket_needs_an_upgrade(serve: Any) -> None:
    reply = await serve().request("GET", "/ws/session/s-1/webrtc?token=t")
    assert problem(reply) == (426, "UPGRADE_REQUIRED")
    assert reply.headers["upgrade"] == "websocket"


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, 101),
        ({"origin": PAGE}, 101),
        ({"origin": "http://gateway.example"}, 101),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
    ],
)
async def test_websocket_of_another_page_is_refused_before_the_handshake(
    autojump_clock: trio.testing.MockClock, fields: dict[str, str], status: int, serve: Any
) -> None:
    assert (await serve().upgrade("/ws/session/s-1/webrtc?token=t", **fields)).status == status


@pytest.mark.parametrize(
    ("path", "detail"),
    [
        ("/", "Use GET; no WebSocket is taken at this path."),
        (INITIATE, "Use POST; no WebSocket is taken at this path."),
        ("/ws", "Use a path that the gateway serves."),
        ("/ws/session/s-1/sip?token=t", "Use a path that the gateway serves."),
    ],
)
async def test_websocket_that_is_no_sessions_is_not_found(path: str, detail: str, serve: Any) -> None:
    reply = await serve().upgrade(path)
    assert (reply.status, json.loads(reply.body)["detail"]) == (404, detail)


async def test_each_refusal_leaves_a_line_in_the_log(serve: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    client = serve(rate_limiter=RateLimiter(per_minute=1, burst=3))
    for fields, body in [(GOOD, b"{"), (JSON, BODY), (JSON | {"authorization": "Bearer known"}, BODY), (GOOD, BODY)]:
        await client.request("POST", INITIATE, body=body, **fields)
    await client.request("GET", "/missing?token=secret")
    await client.send("GET / HTTP/9 secret\r\n\r\n")
    await client.reply()
    assert [record.getMessage().rpartition(" from ")[0] for record in caplog.records] == [
        f"400 MALFORMED_JSON: POST {INITIATE}",
        f"401 UNAUTHENTICATED: POST {INITIATE}",
        f"403 FORBIDDEN: POST {INITIATE}",
        f"429 RATE_LIMITED: POST {INITIATE}",
        "404 NOT_FOUND: GET /missing",
        "400 BAD_REQUEST: malformed request",
    ]


async def test_refused_page_leaves_its_origin_and_what_to_do_in_the_log(
    serve: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    client = serve(public_url="https://voice.example")
    path = "/ws/session/s-1/webrtc"
    assert (await client.upgrade(f"{path}?token={TOKEN}", origin="http://lab.example:8080")).status == 403
    [line] = caplog.messages
    page = "a page of http://lab.example:8080 called gateway.example"
    assert line.startswith(f"403 ORIGIN_NOT_ALLOWED: GET {path} from : {page}: Add ")
    assert "server.allowed_origins" in line
    assert "server.public_url" in line


async def test_websocket_that_lost_its_upgrade_on_the_way_leaves_a_hint_in_the_log(
    serve: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await serve().request("GET", f"/ws/session/s-1/webrtc?token={TOKEN}")
    [line] = caplog.messages
    assert "'Upgrade: websocket', which a proxy must pass on" in line
    assert TOKEN not in line


async def test_neither_token_nor_key_is_logged(serve: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    client = serve()
    await client.request("POST", INITIATE, body=BODY, **GOOD)
    await client.request("POST", INITIATE, body=BODY, **(JSON | {"authorization": "Bearer " + TOKEN}))
    await client.request("POST", INITIATE, body=BODY, **(JSON | {"authorization": "Bearer known", "x_api_key": TOKEN}))
    assert "tester" in caplog.text
    assert TOKEN not in caplog.text
    assert "Bearer" not in caplog.text
