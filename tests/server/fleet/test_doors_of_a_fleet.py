"""Doors of several workers: who comes by them is held to the bounds of the whole, and loses no more than its own."""

import json
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
import trio
from glottis_media_streams.messages import CONNECTED, Told
from joserfc import jwt
from joserfc.jwk import OctKey
from support.fleet import FleetProcess, open_fleet
from support.http import Reply, request
from support.phone import Phone, eventually
from support.route_socket import open_route_socket

pytestmark = pytest.mark.realtime

MORE = """
[routes]
enabled = ["whip", "pipecat", "iqra", "iqra-widget", "twilio", "openai-calls"]
max_requests_per_minute = 600
[routes.settings.pipecat]
campaign = "echo"
"""
MOST = 24
"""Requests of a client."""
FRAGMENT = "application/trickle-ice-sdpfrag"
WISH = json.dumps({"campaignId": "echo", "webCampaignId": "echo", "transportType": 1}).encode()


@dataclass
class Caller:
    """By WHIP."""

    fleet: FleetProcess
    phone: Phone
    reply: Reply = field(init=False)

    @property
    def location(self) -> str:
        return self.reply.headers["location"]

    @property
    def worker(self) -> int:
        return int(self.location.rpartition("/")[2].partition("-")[0])

    async def ask(
        self, method: str, path: str, body: bytes = b"", media_type: str = "application/json", if_match: str = "*"
    ) -> Reply:
        gateway = self.fleet.exchange.gateway
        return await request(gateway, method, path, body, content_type=media_type, if_match=if_match)

    async def call(self) -> "Caller":
        offer = self.phone.peer.make_offer().encode()
        self.phone.driver.pump()
        self.reply = await self.ask("POST", "/whip/echo", offer, "application/sdp")
        return self

    async def trickle(self) -> Reply:
        match = self.reply.headers["etag"]
        return await self.ask("PATCH", self.location, b"a=end-of-candidates\r\n", FRAGMENT, match)


async def test_a_worker_that_dies_between_two_requests_takes_its_own_calls_alone(tmp_path: Path) -> None:
    async with open_fleet(tmp_path, more=MORE) as fleet:
        callers = [await Caller(fleet, fleet.exchange.phone()).call() for _ in range(4)]
        assert {caller.worker for caller in callers} == {1, 2}
        assert [(await caller.trickle()).status for caller in callers] == [204] * 4
        fleet.kill(1)
        await eventually(lambda: fleet.has_served(3))
        for caller in callers:
            is_lost = caller.worker == 1
            reply = await caller.trickle()
            assert reply.status == (404 if is_lost else 204)
            if is_lost:
                assert reply.document["code"] == "SESSION_NOT_FOUND"
            path = f"/pipecat/sessions/{caller.location.rpartition('/')[2]}/api/offer"
            body = json.dumps({"sdp": "v=0", "candidates": []}).encode()
            assert (await caller.ask("POST", path, body)).status == (404 if is_lost else 400)
            anew = await caller.ask("POST", f"{path}?else=new", body)
            assert (anew.status, anew.document["code"]) == (400, "MALFORMED")  # of the offer: there would be a call
            assert (await caller.ask("DELETE", caller.location)).status == (404 if is_lost else 200)
        again = await Caller(fleet, fleet.exchange.phone()).call()
        assert again.reply.status == 201
        await other_methods_are_told_which_there_are(fleet)


async def other_methods_are_told_which_there_are(fleet: FleetProcess) -> None:
    ask = partial(request, fleet.exchange.gateway)
    for path, allowed in (
        ("/whip/echo", "GET, POST, HEAD, OPTIONS"),
        ("/whip/echo/1-" + "x" * 22, "GET, PATCH, DELETE, HEAD, OPTIONS"),
        ("/pipecat/api/offer", "POST, PATCH, OPTIONS"),
        ("/pipecat/sessions/1-" + "x" * 22 + "/api/offer", "POST, PATCH, OPTIONS"),
        ("/api/session/request", "POST, OPTIONS"),
        ("/api/v1/business/7/websession/initiate", "POST, OPTIONS"),
        ("/v1/realtime/calls", "POST, OPTIONS"),
    ):
        reply = await ask("PUT", path, b"{}")
        assert (reply.status, reply.headers["allow"]) == (405, allowed)
    assert (await ask("GET", "/twilio/echo")).status == 426


async def test_bounds_are_those_of_all_doors_and_workers_together(tmp_path: Path) -> None:
    server = "max_sessions_per_client = 3\nshutdown_grace = 0"
    async with open_fleet(tmp_path, server, more=MORE.replace("600", str(MOST))) as fleet:
        ask = partial(request, fleet.exchange.gateway, content_type="application/json")
        first = await Caller(fleet, fleet.exchange.phone()).call()
        assert first.reply.status == 201
        assert (await ask("POST", "/pipecat/start", b"{}")).status == 200
        assert (await ask("POST", "/api/session/request", WISH)).status == 200
        refused: list[tuple[int, str, str]] = []
        for path, body in (("/whip/echo", b""), ("/pipecat/start", b"{}"), ("/api/session/request", WISH)):
            media_type = "application/json" if body else "application/sdp"
            reply = await request(fleet.exchange.gateway, "POST", path, body or b"v=0", content_type=media_type)
            refused.append((reply.status, reply.document["code"], reply.headers.get("retry-after", "")))
        assert {(status, code, bool(wait)) for status, code, wait in refused} == {(429, "TOO_MANY_SESSIONS", True)}
        of_the_api = await ask("POST", "/api/v1/business/7/websession/initiate", WISH)
        assert (of_the_api.status, of_the_api.document["code"]) == (200, "InitiateWebSession:TOO_MANY_SESSIONS")
        assert int(of_the_api.headers["retry-after"]) > 0
        of_openai = await ask("POST", "/v1/realtime/calls?model=echo", b"v=0", content_type="application/sdp")
        assert (of_openai.status, of_openai.document["error"]["code"]) == (429, "too_many_sessions")
        assert int(of_openai.headers["retry-after"]) > 0
        async with open_route_socket(fleet.exchange, "/twilio/echo") as client:
            for message in (CONNECTED, Told("MZ1", "CA1", "AC1").start({})):
                await client.send(json.dumps(message))
            closed = await client.closed()
        assert (closed.code, (closed.reason or "").partition(":")[0]) == (1013, "TOO_MANY_SESSIONS")
        await requests_are_counted_by_address_whichever_door_has_them(fleet)


SECRET = "0123456789abcdef" * 4
SIGNED = f"""
[auth.settings]
issuer = "https://app.example"
audience = "voice"
secrets = {{ shared = "{SECRET}" }}
"""


def signed_for(name: str, most: int) -> str:
    """A token for so many calls at a time."""
    claims = {"iss": "https://app.example", "aud": "voice", "sub": name, "exp": int(time.time()) + 600}
    header = {"alg": "HS256", "kid": "shared"}
    return jwt.encode(header, {**claims, "max_calls": most}, OctKey.import_key(SECRET), algorithms=["HS256"])


async def test_calls_of_a_principal_are_those_by_all_doors_and_workers_together(tmp_path: Path) -> None:
    async with open_fleet(tmp_path, "shutdown_grace = 0", more=SIGNED + MORE, scheme="jwt") as fleet:
        ada, bob = (f"Bearer {signed_for(name, 2)}" for name in ("ada", "bob"))

        async def call(shown: str, path: str, body: bytes, media_type: str = "application/json") -> Reply:
            ask = partial(request, fleet.exchange.gateway, "POST", content_type=media_type, authorization=shown)
            return await ask(path, body)

        offer = fleet.exchange.phone().peer.make_offer().encode()
        first = await call(ada, "/whip/echo", offer, "application/sdp")
        second = await call(ada, "/pipecat/start", b"{}")
        sessions = [first.headers["location"].rpartition("/")[2], second.document["sessionId"]]
        assert {session.partition("-")[0] for session in sessions} == {"1", "2"}
        for _ in range(2):  # whichever worker is asked
            by_whip = await call(ada, "/whip/echo", offer, "application/sdp")
            by_pipecat = await call(ada, "/pipecat/start", b"{}")
            by_widget = await call(ada, "/api/session/request", WISH)
            by_openai = await call(ada, "/v1/realtime/calls?model=echo", offer, "application/sdp")
            refused = [by_whip.document, by_pipecat.document, by_widget.document, by_openai.document["error"]]
            assert {document["code"].upper() for document in refused} == {"TOO_MANY_SESSIONS"}
            assert {reply.status for reply in (by_whip, by_pipecat, by_widget, by_openai)} == {429}
        assert (await call(bob, "/pipecat/start", b"{}")).status == 200
        gone = await request(fleet.exchange.gateway, "DELETE", first.headers["location"], authorization=ada)
        assert gone.status == 200

        async def may_call_again() -> bool:
            return (await call(ada, "/v1/realtime/calls?model=echo", offer, "application/sdp")).status == 201

        with trio.fail_after(10):
            while not await may_call_again():
                await trio.lowlevel.checkpoint()


async def requests_are_counted_by_address_whichever_door_has_them(fleet: FleetProcess) -> None:
    ask = partial(request, fleet.exchange.gateway, "POST", body=b"nonsense", content_type="application/json")
    paths = ("/whip/echo", "/pipecat/start", "/api/session/request", "/v1/realtime/client_secrets")
    answers = [await ask(path) for _ in range(MOST // len(paths) + 1) for path in paths]
    refused = [answer for answer in answers if answer.document.get("code") == "RATE_LIMITED"]
    assert len(answers) - len(refused) < MOST  # by what went before
    assert all(answer.status == 429 and int(answer.headers["retry-after"]) > 0 for answer in refused)
    assert len(refused) > len(paths)
