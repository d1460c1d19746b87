import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import trio
import trio.testing
from glottis.server.http.clients import client_key
from glottis.server.http.message import HttpLimits, Response, text_response
from glottis.server.http.places import KEPT_FOR_REQUESTS, Place, Places, Stage
from glottis.server.http.problem import Problem
from glottis.server.http.proxies import TrustedProxies
from glottis.server.http.refusals import RefusalLog

PROXY = "10.0.0.1"
STRANGER, NEIGHBOUR = "192.0.2.1", "192.0.2.2"


@pytest.fixture(autouse=True)
async def in_a_loop() -> None:
    """Refusals are told to the log with their time."""


@pytest.fixture
def places(caplog: pytest.LogCaptureFixture) -> Places:
    """Twenty for all, ten for each."""
    caplog.set_level(logging.INFO)
    limits = HttpLimits(max_connections=20, max_connections_per_client=10)
    return Places(limits, TrustedProxies([PROXY]), RefusalLog())


def gave_way(place: Place) -> bool:
    return place.scope.cancel_called


def enter_many(places: Places, count: int, host: str = "198.51.100.{}", stage: Stage = Stage.SERVED) -> list[Place]:
    entered = []
    for number in range(count):
        entered.append(places.enter(host.format(number)))
        places.move(entered[-1], stage)
    return entered


async def test_the_oldest_without_a_whole_head_gives_way_then_the_idle_then_one_without_a_body(
    places: Places, caplog: pytest.LogCaptureFixture
) -> None:
    others = enter_many(places, 15)
    head, later_head, idle, later_idle, body = [places.enter(f"203.0.113.{number}") for number in range(5)]
    for place, stage in ((later_idle, Stage.IDLE), (idle, Stage.IDLE), (body, Stage.BODY)):
        places.move(place, stage)
    for expected in (head, later_head, later_idle, idle, body):
        assert not gave_way(expected)
        newcomer = places.enter(STRANGER)
        places.move(newcomer, Stage.SERVED)
        assert gave_way(expected)
        assert len(places) == 20
    assert "from 203.0.113.0 gave way to one from 192.0.2.1: it has not sent a whole head" in caplog.messages[0]
    with pytest.raises(Problem, match="the gateway has as many connections") as refusal:
        places.enter(NEIGHBOUR)
    assert (refusal.value.status, refusal.value.code) == (503, "TOO_MANY_CONNECTIONS")
    assert not any(map(gave_way, others))


@pytest.mark.parametrize("stage", [Stage.SERVED, Stage.WEBSOCKET])
async def test_one_client_cannot_take_the_places_of_others(stage: Stage, places: Places) -> None:
    enter_many(places, 10, STRANGER, stage)
    with pytest.raises(Problem, match="your address has as many connections") as refusal:
        places.enter(STRANGER)
    assert "server.max_connections_per_client is 10" in refusal.value.logged
    places.enter(NEIGHBOUR)
    assert len(places) == 11


async def test_within_a_share_the_clients_own_give_way(places: Places) -> None:
    neighbour = places.enter(NEIGHBOUR)
    crowd = [places.enter(STRANGER) for _ in range(1000)]
    assert [gave_way(place) for place in crowd] == [True] * 990 + [False] * 10
    assert not gave_way(neighbour)


async def test_an_ipv6_network_is_one_client(places: Places) -> None:
    crowd = [places.enter(f"2001:db8::{number:x}") for number in range(11)]
    assert [gave_way(place) for place in crowd] == [True] + [False] * 10
    assert client_key("::ffff:192.0.2.1") == "192.0.2.1"
    assert client_key("2001:db8:0:1::1") != client_key("2001:db8::1")


async def test_what_is_given_back_can_be_taken_again(places: Places) -> None:
    crowd = enter_many(places, 10, STRANGER)
    for place in crowd:
        places.leave(place)
        places.leave(place)
    assert len(places) == 0
    enter_many(places, 10, STRANGER)


async def test_a_proxys_connections_are_in_the_share_of_who_asks(places: Places) -> None:
    pool = enter_many(places, 15, PROXY, Stage.IDLE)
    for place in pool[:10]:
        places.serve(place, STRANGER)
    with pytest.raises(Problem, match="your address"):
        places.serve(pool[10], STRANGER)
    places.serve(pool[10], NEIGHBOUR)
    places.move(pool[0], Stage.IDLE)
    places.serve(pool[11], STRANGER)
    places.serve(pool[0], NEIGHBOUR)
    assert len(places) == 15


async def test_some_places_are_for_no_websocket(places: Places) -> None:
    """Else who has lost its own could not ask for another."""
    most = 10 - 10 // KEPT_FOR_REQUESTS
    crowd = enter_many(places, most, STRANGER, Stage.WEBSOCKET)
    [late] = enter_many(places, 1, STRANGER)
    with pytest.raises(Problem, match="your address has as many WebSockets"):
        places.begin_websocket(late)
    enter_many(places, most, NEIGHBOUR, Stage.WEBSOCKET)
    [last] = enter_many(places, 1, "203.0.113.1")
    with pytest.raises(Problem, match="the gateway has as many WebSockets"):
        places.begin_websocket(last)
    places.leave(crowd[0])
    places.begin_websocket(late)
    places.begin_websocket(last)


async def test_websockets_that_nobody_has_taken_give_way(places: Places) -> None:
    crowd = enter_many(places, 10, STRANGER)
    for place in crowd:
        places.begin_websocket(place)
    places.move(crowd[0], Stage.WEBSOCKET)
    newcomers = enter_many(places, 9, STRANGER)
    assert [gave_way(place) for place in crowd] == [False] + [True] * 9
    with pytest.raises(Problem):
        places.enter(STRANGER)
    assert not any(map(gave_way, newcomers))


async def test_crowd_of_idle_connections_keeps_nobody_out(site: Any, connect: Callable[..., Any]) -> None:
    server = site.server(HttpLimits(max_connections=10, max_connections_per_client=10))
    begun = [connect(server) for _ in range(10)]
    for client in begun:
        await client.send("GET / HTTP/1.1\r\nHost: a\r\nX:")
    await trio.testing.wait_all_tasks_blocked()
    for number in range(20):
        reply = await connect(server).request("GET", f"/{number}")
        assert (reply.status, reply.body) == (200, f"/{number}\n".encode())
    assert (await connect(server).upgrade()).status == 101
    assert [await client.closed() for client in begun] == [True] * 10
    assert server.connection_count == 10


async def test_connections_of_which_all_are_served_keep_others_out(
    site: Any, connect: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    release = trio.Event()

    async def answer(request: Any) -> Response:
        await release.wait()
        return text_response(200, "")

    site.answer = answer
    server = site.server(HttpLimits(max_connections=2, close_timeout=0.01))
    busy = [connect(server) for _ in range(2)]
    for client in busy:
        await client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    await trio.testing.wait_all_tasks_blocked()
    reply = await connect(server).reply()
    assert (reply.status, reply.headers["retry-after"]) == (503, "5")
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert "503 TOO_MANY_CONNECTIONS: a connection from : too many connections: server.max_connections" in caplog.text
    release.set()
    assert [(await client.reply()).status for client in busy] == [200, 200]


async def test_requests_by_a_proxy_are_in_the_share_of_their_client(
    site: Any, connect_by_tcp: Callable[..., Any]
) -> None:
    release = trio.Event()

    async def answer(request: Any) -> Response:
        if request.path == "/slow":
            await release.wait()
        return text_response(200, "")

    site.answer = answer
    server = site.server(HttpLimits(max_connections_per_client=2), trusted_proxies=("127.0.0.0/8",))
    async with trio.open_nursery() as slow:
        for _ in range(2):
            client = await connect_by_tcp(server)
            slow.start_soon(partial(client.request, "GET", "/slow", X_Forwarded_For=STRANGER))
        while len(site.requests) < 2:
            await trio.lowlevel.checkpoint()
        third, other = [await connect_by_tcp(server) for _ in range(2)]
        assert (await third.request("GET", "/", X_Forwarded_For=STRANGER)).status == 503
        assert (await other.request("GET", "/", X_Forwarded_For=NEIGHBOUR)).status == 200
        release.set()
