"""Requests of clients of other protocols at a node that does not have their call: they are sent to its node."""

import json
from pathlib import Path
from urllib.parse import urljoin

import pytest
from support.cluster import OPERATED, configured, is_known, node
from support.http import Reply, request
from support.phone import Exchange, eventually
from support.redis import RedisServer

pytestmark = pytest.mark.realtime

DOORS = '[routes.settings.pipecat]\ncampaign = "echo"\n'
FRAGMENT = "application/trickle-ice-sdpfrag"


async def ask(exchange: Exchange, method: str, path: str, body: bytes, media_type: str = "application/json") -> Reply:
    return await request(exchange.gateway, method, path, body, content_type=media_type, if_match="*")


async def test_requests_about_a_call_are_redirected_to_its_node(tmp_path: Path, redis: RedisServer) -> None:
    def config(name: str) -> str:
        text = configured(redis, name, DOORS, OPERATED)
        return text.replace('[routes]\nenabled = ["cluster"]', '[routes]\nenabled = ["cluster", "whip", "pipecat"]')

    async with node(tmp_path, config("a")) as here, node(tmp_path, config("b")) as there:
        await eventually(lambda: is_known(redis, "a") and is_known(redis, "b"))
        phone = here.phone()
        offer = phone.peer.make_offer().encode()
        phone.driver.pump()
        made = await ask(here, "POST", "/whip/echo", offer, "application/sdp")
        location = made.headers["location"]
        for method in ("GET", "PATCH", "DELETE"):
            reply = await ask(there, method, location, b"", FRAGMENT)
            assert (reply.status, reply.headers["location"]) == (307, f"{here.gateway.url}{location}")
        started = (await ask(here, "POST", "/pipecat/start", b"{}")).document["sessionId"]
        body = json.dumps({"pc_id": started, "candidates": []}).encode()
        first = await ask(there, "PATCH", "/pipecat/api/offer", body)
        path = urljoin("/pipecat/api/offer", first.headers["location"])
        second = await ask(there, "PATCH", path, body)
        assert second.headers["location"] == f"{here.gateway.url}{path}"
        assert (await ask(here, "PATCH", path, body)).document == {"status": "success"}
        assert (await ask(here, "DELETE", location, b"")).status == 200
        assert (await ask(there, "PATCH", location, b"", FRAGMENT)).status == 404
        for one in (here, there):
            await one.gateway.stop(grace=0)
