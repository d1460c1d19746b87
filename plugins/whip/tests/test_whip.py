"""WHIP: a client with HTTP alone has a whole call, and each mistake is answered as RFC 9725 says."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio.testing
from glottis import Malformed, Route, RouteRequest, RouteResponse, RoutesSpec, hookimpl
from glottis.server.sessions.gathered import with_candidates
from glottis_whip.fragments import MAX_CANDIDATES, MEDIA_TYPE, Description, Fragment, parse_fragment_untrusted
from hypothesis import given
from hypothesis import strategies as st
from support.gateway import CONFIG
from support.http import Reply, request
from support.keys import KEY, KEYS
from support.memory import open_memory_exchange
from support.phone import CONNECTED, Exchange, Phone, eventually

ROUTES = CONFIG + '\n[routes]\nenabled = ["whip"]\n'
Clock = trio.testing.MockClock


@pytest.fixture
async def exchange(tmp_path: Path) -> AsyncIterator[Exchange]:
    async with open_memory_exchange(tmp_path, ROUTES) as exchange:
        yield exchange


class Client:
    """A phone, and what its WHIP client has been answered."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.phone: Phone = exchange.phone()
        self.offer = self.location = self.entity_tag = ""

    async def ask(self, method: str, path: str, body: bytes = b"", media_type: str = "", **headers: str) -> Reply:
        fields = headers | ({"content_type": media_type} if media_type else {})
        return await request(self.exchange.gateway, method, path, body, connect=self.exchange.network.connect, **fields)

    async def post(self, path: str = "/whip/echo", media_type: str = "application/sdp", **headers: str) -> Reply:
        self.offer = self.phone.peer.make_offer()
        self.phone.driver.pump()
        reply = await self.ask("POST", path, self.offer.encode(), media_type, **headers)
        self.location = reply.headers.get("location", "")
        self.entity_tag = reply.headers.get("etag", "")
        return reply

    async def patch(self, body: str, media_type: str = MEDIA_TYPE, **headers: str) -> Reply:
        return await self.ask("PATCH", self.location, body.encode(), media_type, **headers)

    async def connect(self) -> None:
        reply = await self.post()
        self.answer = reply.body.decode()
        self.phone.peer.accept_answer_untrusted(reply.body.decode(), trio.current_time())
        self.phone.driver.pump()
        await eventually(lambda: CONNECTED in self.phone.events)


async def test_call_is_made_heard_and_ended_by_http_alone(exchange: Exchange, autojump_clock: Clock) -> None:
    client = Client(exchange)
    reply = await client.post()
    assert (reply.status, reply.headers["content-type"]) == (201, "application/sdp")
    assert reply.headers["accept-patch"] == MEDIA_TYPE
    assert reply.headers["etag"].startswith('"')  # a strong one, RFC 9110 §8.8.3
    assert reply.body.count(b"a=rtcp-mux-only\r\n") == reply.body.count(b"a=rtcp-mux\r\n") > 0
    assert b"a=sendrecv" in reply.body
    assert b"a=end-of-candidates" in reply.body
    client.phone.peer.accept_answer_untrusted(reply.body.decode(), trio.current_time())
    client.phone.driver.pump()
    await client.phone.hear()
    assert len(exchange.gateway.sessions) == 1
    assert (await client.ask("DELETE", client.location, if_match='"of-another"')).status == 200
    assert len(exchange.gateway.sessions) == 0
    assert (await client.ask("DELETE", client.location)).document["code"] == "SESSION_NOT_FOUND"


async def test_candidates_are_for_the_generation_that_they_name(exchange: Exchange, autojump_clock: Clock) -> None:
    client = Client(exchange)
    await client.post()
    ufrag, password = _credentials(client.offer)
    text = f"a=ice-ufrag:{ufrag}\r\na=ice-pwd:{password}\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\n"
    text += "a=candidate:1 1 udp 2130706431 192.0.2.77 7777 typ host\r\na=end-of-candidates\r\n"
    assert (await client.patch(text)).status == 428
    for other in ('"of-before"', f"W/{client.entity_tag}", client.entity_tag.strip('"'), '"x", *', ""):
        assert (await client.patch(text, if_match=other)).status == 412, other
    first = text.replace("192.0.2.77", "192.0.2.79").replace("a=end-of-candidates\r\n", "")
    assert (await client.patch(first, if_match="*")).status == 204  # as pages of MediaMTX have it
    odd = ["1 1 tcp 1 192.0.2.78 9 typ host tcptype active", "1 1 udp 1 here.local 9 typ host", "1 1 x", "", "1 " * 99]
    more = "".join(f"a=candidate:{candidate}\r\n" for candidate in odd)
    added = await client.patch(more + text, if_match=f'"x", {client.entity_tag}')
    assert (added.status, added.body, added.headers.get("etag")) == (204, b"", None)
    session = next(iter(exchange.gateway.sessions))
    page = await exchange.gateway.sessions.explain(session.info.session_id, session.info.principal)
    assert page is not None
    assert "192.0.2.77" in page
    assert "192.0.2.79" in page


async def test_ice_is_restarted_by_new_credentials_alone(exchange: Exchange, autojump_clock: Clock) -> None:
    client = Client(exchange)
    await client.connect()
    offer = client.phone.peer.make_restart_offer(trio.current_time())
    client.phone.driver.pump()
    ufrag, password = _credentials(offer)
    candidates = "".join(f"{line}\r\n" for line in offer.splitlines() if line.startswith("a=candidate"))
    fragment = f"a=ice-ufrag:{ufrag}\r\na=ice-pwd:{password}\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\n{candidates}"
    reply = await client.patch(fragment, if_match="*")
    assert (reply.status, reply.headers["content-type"]) == (200, MEDIA_TYPE)
    assert reply.headers["etag"] != client.entity_tag
    restarted = parse_fragment_untrusted(reply.body)
    assert f'"{restarted.ufrag}"' == reply.headers["etag"]
    assert any(text.startswith("candidate:") for _, text in restarted.candidates)
    assert (await client.patch(fragment, if_match=client.entity_tag)).status == 412
    answer = Description.of(client.answer).restarted(restarted)
    client.phone.peer.accept_answer_untrusted(
        with_candidates(answer, [text for _, text in restarted.candidates if text]), trio.current_time()
    )
    client.phone.driver.pump()
    await client.phone.hear(10)
    assert client.phone.peer.transport.ice.local_ufrag == ufrag


async def test_who_restarts_ice_too_often_is_told_when_to_try_again(exchange: Exchange, autojump_clock: Clock) -> None:
    client = Client(exchange)
    await client.post()
    for number in range(40):
        fragment = f"a=ice-ufrag:abc{number}\r\na=ice-pwd:{number:022}\r\n"
        if (reply := await client.patch(fragment, if_match="*")).status != 200:
            break
    assert (reply.status, reply.document["code"]) == (429, "TOO_MANY_OFFERS")
    await trio.sleep(float(reply.headers["retry-after"]))
    assert (await client.patch(fragment, if_match="*")).status == 200


async def test_ice_that_cannot_be_restarted_goes_on(exchange: Exchange, autojump_clock: Clock) -> None:
    client = Client(exchange)
    await client.connect()
    reply = await client.patch("a=ice-ufrag:a b\r\na=ice-pwd:short\r\n", if_match="*")
    assert reply.status == 400
    await client.phone.hear()
    assert (await client.patch("a=end-of-candidates", if_match=client.entity_tag)).status == 204


async def test_what_is_there_is_told_without_a_call(exchange: Exchange, autojump_clock: Clock) -> None:
    client = Client(exchange)
    assert (await client.ask("GET", "/whip/echo")).status == 204
    options = (await client.ask("OPTIONS", "/whip/echo")).headers
    assert (options["accept-post"], options["allow"]) == ("application/sdp", "GET, POST, HEAD, OPTIONS")
    await client.post()
    assert (await client.ask("GET", client.location)).status == 204
    page = {"origin": "http://127.0.0.1:3000", "access_control_request_method": "PATCH"}
    page["access_control_request_headers"] = "if-match"
    options = (await client.ask("OPTIONS", client.location, b"", "", **page)).headers
    assert options["accept-patch"] == MEDIA_TYPE
    assert options["access-control-allow-headers"] == "if-match"
    assert "PATCH" in options["access-control-allow-methods"]
    assert "DELETE" in options["access-control-allow-methods"]


async def test_endpoint_and_session_are_for_bearers_of_tokens(tmp_path: Path, autojump_clock: Clock) -> None:
    config = ROUTES.replace('[auth]\nscheme = "anonymous"\n', KEYS)
    async with open_memory_exchange(tmp_path, config) as exchange:
        client = Client(exchange)
        reply = await client.ask("POST", "/whip/echo", b"v=0", "application/sdp")
        assert (reply.status, reply.headers["www-authenticate"].partition(" ")[0]) == (401, "Bearer")
        reply = await client.post(authorization=f"Bearer {KEY}")
        assert reply.status == 201
        for method in ("GET", "PATCH", "DELETE"):
            assert (await client.ask(method, client.location)).status == 401
            assert (await client.ask(method, client.location, authorization=f"Bearer {KEY[::-1]}")).status == 404
        assert (await client.ask("DELETE", client.location, authorization=f"Bearer {KEY}")).status == 200


@pytest.mark.parametrize(
    ("sections", "status"),
    [
        ("m=audio 9 X 0\r\nm=audio 9 X 0", 422),
        ("m=audio 9 X 0\r\na=msid:a b\r\nm=video 9 X 0\r\na=msid:c d", 422),
        ("m=audio 9 X 0\r\na=msid:a b\r\nm=audio 9 X 0\r\na=recvonly\r\nm=video 9 X 0\r\na=msid:a d", 400),
        ("m=audio 9 X 0\r\na=msid:a b\r\nm=video 9 X 0\r\na=msid:- d", 400),
        ("m=audio 0 X 0\r\nm=audio 9 X 0\r\na=msid:a b\r\nm=audio 9 X 0\r\na=recvonly \t", 400),
        ("m=audio 9 X 0\r\nm=audio 0 X 0\r\na=bundle-only", 422),
    ],
)
async def test_one_track_of_a_kind_is_taken(
    sections: str, status: int, exchange: Exchange, autojump_clock: Clock
) -> None:
    offer = f"v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n{sections}\r\n"
    reply = await Client(exchange).ask("POST", "/whip/echo", offer.encode(), "application/sdp")
    assert (reply.status, reply.document["code"] == "TOO_MANY_TRACKS") == (status, status == 422)
    assert len(exchange.gateway.sessions) == 0


def test_fragment_of_an_answer_says_what_the_answer_says_of_ice() -> None:
    lines = ["a=ice-lite", "a=ice-options:ice2", "m=audio 9 X 0", "a=ice-pacing:50", "a=mid:0"]
    answer = Description(("v=0", *lines[:2], "a=group:BUNDLE 0", *lines[2:], "a=rtcp-mux", "m=video 0 X 0"))
    assert answer.fragment().decode().splitlines() == lines


@pytest.mark.parametrize(
    ("method", "path", "media_type", "body", "status", "code"),
    [
        ("POST", "/whip/echo", "application/json", b"{}", 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("POST", "/whip/echo", "application/sdp", b"nonsense", 400, "MALFORMED"),
        ("POST", "/whip/echo", "application/sdp", b"\xff", 400, "MALFORMED"),
        ("POST", "/whip/nobody", "application/sdp", b"v=0", 404, "UNKNOWN_CAMPAIGN"),
        ("PUT", "/whip/echo", "", b"", 405, "METHOD_NOT_ALLOWED"),
        ("POST", "/whip/echo/another", "application/sdp", b"v=0", 405, "METHOD_NOT_ALLOWED"),
        ("DELETE", "/whip/echo/another", "", b"", 404, "SESSION_NOT_FOUND"),
        ("PATCH", "/whip/echo/another", MEDIA_TYPE, b"", 404, "SESSION_NOT_FOUND"),
    ],
)
async def test_refusals(
    method: str,
    path: str,
    media_type: str,
    body: bytes,
    status: int,
    code: str,
    exchange: Exchange,
    autojump_clock: Clock,
) -> None:
    reply = await Client(exchange).ask(method, path, body, media_type)
    assert (reply.status, reply.document["code"]) == (status, code)
    assert len(exchange.gateway.sessions) == 0
    assert exchange.gateway.refusals == {code: 1}


async def test_requests_that_the_gateway_refuses_itself_are_counted(tmp_path: Path, autojump_clock: Clock) -> None:
    async with open_memory_exchange(tmp_path, ROUTES + "max_requests_per_minute = 1\n") as exchange:
        assert (await Client(exchange).post(origin="https://stranger.example")).status == 403
        assert (await (client := Client(exchange)).post()).status == 201
        assert (await Client(exchange).post()).status == 429
        assert (await client.ask("DELETE", client.location)).status == 429
        assert exchange.gateway.refusals == {"ORIGIN_NOT_ALLOWED": 1, "RATE_LIMITED": 2}


@pytest.mark.parametrize(
    ("body", "media_type", "status"),
    [
        ("a=candidate:1", "text/plain", 415),
        ("nonsense", MEDIA_TYPE, 400),
        ("a=ice-ufrag:abcd", MEDIA_TYPE, 400),
        ("a=candidate:1\r\n" * (MAX_CANDIDATES + 1), MEDIA_TYPE, 400),
    ],
)
async def test_bad_fragments_leave_the_call_as_it_is(
    body: str, media_type: str, status: int, exchange: Exchange, autojump_clock: Clock
) -> None:
    client = Client(exchange)
    await client.connect()
    assert (await client.patch(body, media_type, if_match=client.entity_tag)).status == status
    await client.phone.hear()


def test_versions_that_are_no_number_of_64_bits_are_left_alone() -> None:
    for version, restarted in (("7", "8"), ("9" * 5000, "9" * 5000), ("x", "x")):
        offer = Description.of(f"v=0\r\no=- 1 {version} IN IP4 0.0.0.0\r\n")
        assert f"o=- 1 {restarted} IN" in offer.restarted(Fragment("abcd", "secret"))


def test_lines_end_where_sdp_has_them_end() -> None:
    offer = Description.of("v=0\r\no=- 1 2 IN IP4 0.0.0.0\n s=A\u2028B\x85 \r\n\r\n")
    assert offer.restarted(Fragment("abcd", "secret")) == "v=0\r\no=- 1 3 IN IP4 0.0.0.0\r\ns=A\u2028B\x85\r\n"


class Bell:
    """Another door."""

    @hookimpl
    def register_routes(self) -> list[RoutesSpec]:
        return [RoutesSpec("bell", lambda settings: [Route("POST", "/ring", "public", self.ring)], folder="/bell")]

    async def ring(self, asked: RouteRequest) -> RouteResponse:
        assert asked.door is not None
        return RouteResponse.json({"id": (await asked.door.call({"campaignId": "echo"})).session_id})


async def test_call_that_has_come_in_by_another_door_is_none_of_whip(tmp_path: Path, autojump_clock: Clock) -> None:
    config = ROUTES.replace('["whip"]', '["whip", "bell"]')
    async with open_memory_exchange(tmp_path, config, [Bell()]) as exchange:
        client = Client(exchange)
        client.location = f"/whip/echo/{(await client.ask('POST', '/bell/ring')).document['id']}"
        for reply in (await client.patch("a=mid:0", if_match="*"), await client.ask("DELETE", client.location)):
            assert (reply.status, reply.document["code"]) == (404, "SESSION_NOT_FOUND")
        assert len(exchange.gateway.sessions) == 1


async def test_servers_are_told_by_links(tmp_path: Path, autojump_clock: Clock) -> None:
    servers = """
    [ice_servers]
    providers = ["static"]
    [[ice_servers.settings.static.servers]]
    urls = ["turn:127.0.0.1:9"]
    username = "me"
    credential = 'a"b\\c'
    """
    async with open_memory_exchange(tmp_path, ROUTES + servers) as exchange:
        reply = await Client(exchange).post()
    link = '<turn:127.0.0.1:9>; rel="ice-server"; username="me"; credential="a\\"b\\\\c"; credential-type="password"'
    assert reply.headers["link"] == link


@given(st.binary(max_size=300) | st.text("a=:icemdpwfru-0\r\n").map(str.encode))
def test_fragments_are_read_or_refused(body: bytes) -> None:
    """Fuzz: nothing but Malformed comes of ``parse_fragment_untrusted``."""
    try:
        fragment = parse_fragment_untrusted(body)
    except Malformed:
        return
    assert bool(fragment.ufrag) is bool(fragment.password)


def _credentials(sdp: str) -> tuple[str, str]:
    ufrag, password = (re.search(rf"a={name}:(\S+)", sdp) for name in ("ice-ufrag", "ice-pwd"))
    assert ufrag is not None
    assert password is not None
    return ufrag[1], password[1]
