"""Several nodes and a real Redis: sessions are where there is room, and end with a reason where their node dies."""

import json
import os
import signal
import time
from datetime import datetime
from pathlib import Path

import pytest
import trio
from glottis import Secret
from glottis.client.call import ClientCall
from glottis.client.calling import CallRequest, open_client_call
from glottis.server.sessions.states import SessionState
from glottis_cluster import ClusterConfig
from glottis_cluster.membership import BEATS
from support.cluster import (
    LEASE,
    OPERATED,
    Balancer,
    at,
    configured,
    end_of,
    is_at,
    is_known,
    node,
    node_process,
    nodes,
    sessions_of,
    told,
)
from support.fleet import FleetProcess, worker_of
from support.http import request
from support.patience import PATIENCE
from support.phone import eventually, installed_codec
from support.redis import RedisServer

pytestmark = [
    pytest.mark.realtime,
    pytest.mark.filterwarnings("ignore:Unclosed <MemoryObject:ResourceWarning"),  # of connections that broke
]
Log = pytest.LogCaptureFixture


# Placement


async def test_many_at_a_time_are_placed_evenly_and_come_up_where_they_are(tmp_path: Path, redis: RedisServer) -> None:
    async with nodes(tmp_path, redis, "a", "b", "c") as exchanges:
        a = exchanges[0]
        phones = [a.phone() for _ in range(12)]
        async with trio.open_nursery() as nursery:
            for phone in phones:
                nursery.start_soon(phone.create)
        assert sessions_of(exchanges) == [4, 4, 4]
        hosts = {phone.url.partition("/ws/session/")[0] for phone in phones}
        assert hosts == {exchange.gateway.url.replace("http", "ws") for exchange in exchanges}
        for phone in phones[:3]:
            await phone.open_socket()
            await phone.negotiate()
            await phone.hear()
        [*listed] = (await told(a, "nodes")).document["nodes"]
        assert [(one["node"], one["sessions"], one["unavailable"]) for one in listed] == [
            ("a", 4, ""),
            ("b", 4, ""),
            ("c", 4, ""),
        ]


async def test_who_drains_gets_nothing_new_and_places_what_it_is_asked_for(tmp_path: Path, redis: RedisServer) -> None:
    async with nodes(tmp_path, redis, "a", "b", "c") as exchanges:
        a, b, c = exchanges
        phone = await a.call()
        assert sessions_of(exchanges) == [1, 0, 0]
        a.gateway.sessions.drain()
        for exchange in (a, b, c, a):  # from the very moment on, whatever the others know
            await exchange.phone().create()
        assert sessions_of(exchanges) == [1, 2, 2]
        await phone.hear()
        await phone.hang_up()
        assert (await end_of(b, phone))["reason"] == "the caller hung up: enough"


# Tokens, limits, and coming back


async def test_of_two_who_race_with_one_token_one_gets_the_call(tmp_path: Path, redis: RedisServer) -> None:
    async with nodes(tmp_path, redis, "a", "b") as [a, b]:
        phone = a.phone()
        await phone.create()
        async with trio.open_nursery() as nursery:
            for url in (phone.url, at(b, a, phone.url), phone.url):
                nursery.start_soon(phone.open_socket, url)
        await eventually(lambda: sum(socket.closed is not None for socket in phone.sockets) == 2)
        reasons = sorted(socket.closed[1].partition(":")[0] for socket in phone.sockets if socket.closed)
        assert reasons == ["ELSEWHERE", "TOKEN_USED"]
        [other] = [socket for socket in phone.sockets if socket.events("resume") and socket.closed]
        assert other.events("resume")[0]["websocketUrl"] == phone.url


async def test_who_comes_back_by_another_node_is_told_the_way(tmp_path: Path, redis: RedisServer) -> None:
    async with nodes(tmp_path, redis, "a", "b") as [a, b]:
        phone = await a.call()
        [resume] = phone.socket.events("resume")
        phone.socket.cut()
        await phone.open_socket(at(b, a, resume["websocketUrl"]))
        assert await phone.wait_closed() == (1013, f"ELSEWHERE: The session is at {a.gateway.url}")
        await phone.open_socket(phone.socket.events("resume")[0]["websocketUrl"])
        await phone.hear()
        trace = await request(b.gateway, "GET", f"/api/sessions/{phone.session_id}/trace")
        assert trace.headers["location"] == f"{a.gateway.url}/api/sessions/{phone.session_id}/trace"
        await phone.hang_up()


def received(call: ClientCall) -> int:
    inbound = call.statistics().inbound_rtp
    return inbound.packets_received if inbound is not None else 0


async def test_a_call_whose_socket_comes_back_to_another_node_finds_its_own(
    tmp_path: Path, redis: RedisServer, nursery: trio.Nursery
) -> None:
    balancer = Balancer()
    await nursery.start(balancer.run)
    async with nodes(tmp_path, redis, "a", "b") as [a, b]:
        balancer.point_at(a)
        request = CallRequest(balancer.url, (installed_codec("PCMU"),), "talker", 8000)
        async with open_client_call(request) as call:
            await call.connected.wait()
            await eventually(lambda: sessions_of([a, b]) == [1, 0])
            [session] = a.gateway.sessions
            await eventually(lambda: session.state is SessionState.ACTIVE)
            balancer.point_at(b)
            await balancer.cut()
            states: list[str] = []
            with trio.fail_after(PATIENCE):
                while len(states) < 4:
                    event = await anext(call.events)
                    states += [event.data["state"]] if event.name == "signaling" else []
            assert states == ["lost", "resumed"] * 2, "where it does not belong, and where it does"
            before = received(call)
            await eventually(lambda: received(call) > before)
            assert sessions_of([a, b]) == [1, 0]


async def test_a_client_has_its_share_of_all_nodes_together(tmp_path: Path, redis: RedisServer) -> None:
    config = OPERATED.replace("max_sessions_per_minute = 100000", "max_sessions_per_minute = 5")
    async with nodes(tmp_path, redis, "a", "b", config=config) as [a, b]:
        replies = [await exchange.post() for exchange in (a, b, a, b, a, b)]
        assert [reply.status for reply in replies] == [200] * 5 + [429]
        assert 5 < int(replies[-1].headers["retry-after"]) <= 12


# Clocks

AHEAD = 420
CLOCK_AHEAD = f"""
import time
seconds, nanoseconds = time.time, time.time_ns
time.time, time.time_ns = lambda: seconds() + {AHEAD}, lambda: nanoseconds() + {AHEAD} * 10**9
"""
"""What Python runs first: on this machine it is seven minutes later."""


async def test_nodes_whose_clocks_are_minutes_apart_share_sessions_and_miss_nobody(
    tmp_path: Path, redis: RedisServer, caplog: Log
) -> None:
    (tmp_path / "sitecustomize.py").write_text(CLOCK_AHEAD)
    lease, began = 2 * LEASE, time.time()  # on a busy machine a process that has just begun is late
    settings = f"lease = {lease}"
    config = configured(redis, "b", settings, f"{OPERATED}\n[log]\njson = true")
    ahead = node_process(tmp_path, config, {"PYTHONPATH": str(tmp_path)})
    async with nodes(tmp_path, redis, "a", settings=settings) as [a], ahead as (b, command):
        assert since(began, json.loads(command.errors.splitlines()[0])["time"]) > AHEAD
        await eventually(lambda: is_known(redis, "b"))
        phones = [await a.call(), await b.call(), await a.call(), await b.call()]
        assert sorted(is_at(b, phone) for phone in phones) == [False, False, True, True]
        await trio.sleep(1.5 * lease)
        for phone in phones:
            await phone.hear()
            await phone.hang_up()
            end = await end_of(a, phone)
            assert end["reason"].startswith("the caller hung up")
            assert 0 < since(began, end["createdAt"]) < since(began, end["endedAt"]) < AHEAD, "by the clock of Redis"
    assert "is lost" not in caplog.text + command.errors


def since(began: float, moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp() - began


# Nodes that die


def test_who_is_killed_is_missed_within_two_seconds_where_the_machine_is_idle() -> None:
    """The last word of its own, and then the next one of another."""
    config = ClusterConfig(redis=Secret("redis://127.0.0.1"))
    assert config.lease + config.lease / BEATS < 2


async def test_the_sessions_of_who_is_killed_end_with_a_reason(tmp_path: Path, redis: RedisServer, caplog: Log) -> None:
    """A worker of a node, then a whole node, whose name is another's then; all others go on."""
    config = configured(redis, "w", config=OPERATED.replace("port = 0", "port = 0\nworkers = 2"))
    async with nodes(tmp_path, redis, "a") as [a], node_process(tmp_path, config) as (w, command):
        await eventually(lambda: is_known(redis, "w~1") and is_known(redis, "w~2"))
        phones = [await w.call() for _ in range(3)]
        listed = (await told(w, "nodes")).document["nodes"]
        assert [(one["node"], one["sessions"]) for one in listed] == [("a", 1), ("w", 1), ("w", 1)]
        first, second = sorted((phone for phone in phones if is_at(w, phone)), key=worker_of)
        [far] = [phone for phone in phones if is_at(a, phone)]
        assert worker_of(first) < worker_of(second)

        FleetProcess(command, tmp_path).kill(worker_of(first))
        assert (await end_of(a, first))["reason"] == "its node was lost"
        await second.hear()

        [resume] = second.socket.events("resume")
        for process in (command.process.pid, *FleetProcess(command, tmp_path).workers.values()):
            os.kill(process, signal.SIGKILL)
        killed_at = trio.current_time()
        end = await end_of(a, second)
        print(f"missed after {trio.current_time() - killed_at:.2f} s")
        assert (end["reason"], end["campaign"], end["principal"]) == ("its node was lost", "echo", "anonymous")
        assert end["createdAt"] < end["endedAt"]
        await second.open_socket(at(a, w, resume["websocketUrl"]))
        assert (await second.wait_closed())[1].startswith("SESSION_NOT_FOUND: The session has ended: its node was lost")
        await far.hear()
        async with node(tmp_path, configured(redis, "w")) as successor:
            await eventually(lambda: is_known(redis, "w"))
            await a.phone().create()
            assert sessions_of([a, successor]) == [1, 1]
    assert "node w~2 is lost; sessions that have ended with it: 1" in caplog.text
