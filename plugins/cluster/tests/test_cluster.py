"""Several nodes and a real Redis: sessions are where there is room, and go on whatever becomes of the others."""

import gc
import json
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
import trio
from glottis import ConfigurationError, Secret
from glottis.server.gateway import Gateway
from glottis_cluster import ClusterConfig
from glottis_cluster.membership import BEATS
from support.command import Command, open_command
from support.fleet import FleetProcess, worker_of
from support.gateway import CONFIG, open_test_gateway
from support.http import Reply, request
from support.patience import PATIENCE
from support.phone import Exchange, Phone, eventually, open_exchange
from support.redis import RedisServer, open_redis

pytestmark = [
    pytest.mark.realtime,
    pytest.mark.filterwarnings("ignore:Unclosed <MemoryObject:ResourceWarning"),  # of connections that broke
]
Log = pytest.LogCaptureFixture
OPERATED = CONFIG.replace('scheme = "anonymous"', 'scheme = "anonymous"\noperators = ["anonymous"]')
LEASE = 0.4
"""Seconds, for tests that wait for one to run out."""


@pytest.fixture(autouse=True)
def collect_garbage() -> Iterator[None]:
    """While the warnings of what coredis leaves open are ignored."""
    yield
    gc.collect()


@pytest.fixture(autouse=True)
def hear_all(caplog: Log) -> None:
    caplog.set_level("INFO", "glottis_cluster")


@pytest.fixture
async def redis(tmp_path: Path) -> AsyncIterator[RedisServer]:
    async with open_redis(tmp_path) as server:
        yield server


def configured(redis: RedisServer, name: str, settings: str = "", config: str = OPERATED) -> str:
    return f"""{config}
[extensions]
enabled = ["cluster"]
[routes]
enabled = ["cluster"]
[extensions.settings.cluster]
redis = "{redis.url}"
name = "{name}"
{settings}
"""


@asynccontextmanager
async def nodes(
    tmp_path: Path, redis: RedisServer, *names: str, settings: str = "", config: str = OPERATED
) -> AsyncIterator[list[Exchange]]:
    """A gateway of each name, and phones for each."""
    async with AsyncExitStack() as stack:
        exchanges = [
            await stack.enter_async_context(node(tmp_path, configured(redis, name, settings, config))) for name in names
        ]
        await eventually(lambda: all(is_known(redis, name) for name in names))
        yield exchanges


@asynccontextmanager
async def node(tmp_path: Path, config: str) -> AsyncIterator[Exchange]:
    async with open_test_gateway(tmp_path, config) as gateway, open_exchange(gateway) as exchange:
        yield exchange


@asynccontextmanager
async def node_process(tmp_path: Path, config: str) -> AsyncIterator[tuple[Exchange, Command]]:
    """The same in a process of its own."""
    path = tmp_path / "process.toml"
    path.write_text(config)
    async with open_command("serve", "--config", path) as command:
        serving = await command.wait_for(r"glottis serves (http://\S+) with")
        gateway = cast(Gateway, Served(serving[1]))
        async with open_exchange(gateway) as exchange:
            yield exchange, command
        if command.process.returncode is None:
            command.process.send_signal(signal.SIGINT)


class Served:
    """As much of a gateway as there is of one in another process."""

    def __init__(self, url: str) -> None:
        self.url = url


def is_known(redis: RedisServer, name: str) -> bool:
    """And takes sessions."""
    capacity, *unavailable = (
        redis.ask("hmget", f"glottis:1:member:{name}", "capacity", "unavailable").splitlines() or "0"
    )
    return int(capacity) > 0 and not any(unavailable)


def sessions_of(exchanges: list[Exchange]) -> list[int]:
    return [len(exchange.gateway.sessions) for exchange in exchanges]


def is_at(exchange: Exchange, phone: Phone) -> bool:
    """Whether its session is on this node."""
    return phone.url.startswith(exchange.gateway.url.replace("http", "ws"))


def at(here: Exchange, there: Exchange, url: str) -> str:
    """The URL of the one node, at the other."""
    return url.replace(there.gateway.url.partition(":")[2], here.gateway.url.partition(":")[2])


async def told(exchange: Exchange, path: str) -> Reply:
    return await request(exchange.gateway, "GET", f"/api/plugins/cluster/{path}")


async def end_of(exchange: Exchange, phone: Phone) -> dict[str, Any]:
    """What is known of a session that has ended, once it is."""
    with trio.fail_after(PATIENCE):
        while (document := (await told(exchange, f"sessions/{phone.session_id}")).document).get("state") != "ended":  # noqa: ASYNC110
            await trio.sleep(0.02)
    return document


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


@pytest.mark.parametrize(
    ("wanted", "settings", "config", "placed"),
    [
        ({}, ("", ""), ("", ""), [2, 2]),
        ({}, ('region = "eu"', 'region = "us"'), ("", ""), [4, 0]),
        ({"region": "us"}, ('region = "eu"', 'region = "us"'), ("", ""), [0, 4]),
        ({"region": "mars"}, ('region = "eu"', 'region = "us"'), ("", ""), [2, 2]),
        ({"agent": "night"}, ("", ""), ("", 'agents.night = {agent = "echo"}'), [0, 4]),
        ({"agent": "nobody"}, ("", ""), ("", 'agents.night = {agent = "echo"}'), [2, 2]),
        ({}, ("", ""), ("max_sessions = 1", ""), [1, 3]),
    ],
    ids=["anywhere", "near", "there", "no such region", "agent", "no such agent", "capacity"],
)
async def test_sessions_are_where_they_fit(
    wanted: dict[str, str],
    settings: tuple[str, str],
    config: tuple[str, str],
    placed: list[int],
    tmp_path: Path,
    redis: RedisServer,
) -> None:
    texts = [
        OPERATED.replace('[campaigns.echo]\nagent = "echo"', f'[campaigns.echo]\nagent = "echo"\n{more}')
        for more in config
    ]
    texts[0] = OPERATED.replace("port = 0", "port = 0\nmax_sessions = 1") if "max" in config[0] else texts[0]
    async with (
        node(tmp_path, configured(redis, "a", settings[0], texts[0])) as a,
        node(tmp_path, configured(redis, "b", settings[1], texts[1])) as b,
    ):
        await eventually(lambda: is_known(redis, "a") and is_known(redis, "b"))
        for _ in range(4):
            await a.phone().create(dynamicVariables=wanted)
        assert sessions_of([a, b]) == placed


async def test_a_strict_region_that_is_full_is_full(tmp_path: Path, redis: RedisServer) -> None:
    settings = 'strict_regions = true\nregion = "{}"'
    full = OPERATED.replace("port = 0", "port = 0\nmax_sessions = 1")
    async with (
        node(tmp_path, configured(redis, "a", settings.format("eu"), full)) as a,
        node(tmp_path, configured(redis, "b", settings.format("us"))) as b,
    ):
        await eventually(lambda: is_known(redis, "a") and is_known(redis, "b"))
        await a.phone().create()
        replies = [await a.post(), await b.post(dynamicVariables={"region": "eu"})]
        assert [(reply.status, reply.document["code"]) for reply in replies] == [(503, "FULL")] * 2
        assert sessions_of([a, b]) == [1, 0]


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


async def test_a_client_has_its_share_of_all_nodes_together(tmp_path: Path, redis: RedisServer) -> None:
    config = OPERATED.replace("max_sessions_per_minute = 100000", "max_sessions_per_minute = 5")
    async with nodes(tmp_path, redis, "a", "b", config=config) as [a, b]:
        replies = [await exchange.post() for exchange in (a, b, a, b, a, b)]
        assert [reply.status for reply in replies] == [200] * 5 + [429]
        assert 5 < int(replies[-1].headers["retry-after"]) <= 12


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


# Redis that is away


@pytest.mark.parametrize(
    ("degraded", "is_kept", "way"),
    [("local", False, "killed"), ("refuse", True, "killed"), ("local", True, "paused")],
)
async def test_without_redis_calls_go_on_and_afterwards_all_is_as_before(
    degraded: str, is_kept: bool, way: str, tmp_path: Path, caplog: Log
) -> None:
    settings = f'degraded = "{degraded}"\nlease = {LEASE}'
    async with (
        open_redis(tmp_path, is_kept=is_kept) as redis,
        nodes(tmp_path, redis, "a", "b", settings=settings) as exchanges,
    ):
        a, b = exchanges
        phones = [await a.call(), await a.call()]
        redis.pause() if way == "paused" else redis.kill()
        replies = [await exchange.post() for exchange in (a, a, b)]
        if degraded == "local":
            assert [reply.status for reply in replies] == [200] * 3
            assert sessions_of(exchanges) == [3, 2]
        else:
            assert [(reply.status, reply.document["code"]) for reply in replies] == [(503, "CLUSTER_UNREACHABLE")] * 3
            assert replies[0].headers["retry-after"] == "5"
        for phone in phones:
            await phone.hear()
        await phones[0].hang_up()
        await trio.sleep(2 * LEASE)
        if way == "paused":
            redis.go_on()
        else:
            redis.start()
            await redis.ready()
        await eventually(lambda: is_known(redis, "a") and is_known(redis, "b"))
        end = await end_of(b, phones[0])
        assert end["reason"] == "the caller hung up: enough", "who died in that time, and how"
        await phones[1].hear()
        held = sessions_of(exchanges)
        await eventually(lambda: [int(redis.ask("scard", f"glottis:1:sessions:{name}")) for name in ("a", "b")] == held)
        await b.phone().create()
        await b.phone().create()
        assert max(sessions_of(exchanges)) - min(sessions_of(exchanges)) <= 1
        await trio.sleep(2.5 * LEASE)  # nobody is missed whose word could not be heard
        assert json.loads((await told(a, f"sessions/{phones[1].session_id}")).body)["state"] == "active"
    lines = [record.getMessage() for record in caplog.records if "Redis" in record.getMessage()]
    assert len([line for line in lines if "is away" in line]) == 2, "once for each node"
    assert len([line for line in lines if "is there again" in line]) == 2
    assert "is lost" not in caplog.text


async def test_a_gateway_that_begins_without_redis_joins_the_others_later(tmp_path: Path, caplog: Log) -> None:
    async with open_redis(tmp_path) as redis:
        redis.kill()
        async with node(tmp_path, configured(redis, "a", f"lease = {LEASE}")) as a:
            phone = await a.call()
            redis.start()
            await redis.ready()
            async with nodes(tmp_path, redis, "b") as [b]:
                await eventually(lambda: is_known(redis, "a"))
                await a.phone().create()
                assert sessions_of([a, b]) == [1, 1]
            await phone.hear()


# What is wrong


@pytest.mark.parametrize("password", ["", "wrong"])
async def test_a_wrong_password_keeps_the_gateway_from_starting_in_words(password: str, tmp_path: Path) -> None:
    async with open_redis(tmp_path, "right") as redis:
        redis.password = password
        with pytest.raises(ConfigurationError, match=r"redis: at .* lets nobody in") as caught:
            async with node(tmp_path, configured(redis, "a")):
                pass
        assert "wrong" not in str(caught.value)


async def test_a_password_that_is_changed_costs_no_call(tmp_path: Path, redis: RedisServer, caplog: Log) -> None:
    async with nodes(tmp_path, redis, "a", settings=f"lease = {LEASE}") as [a]:
        phone = await a.call()
        redis.ask("config", "set", "requirepass", "new")
        redis.password = "new"
        redis.ask("client", "kill", "type", "normal")
        await eventually(lambda: "lets nobody in" in caplog.text)
        await phone.hear()
        assert (await a.post()).status == 200
    assert caplog.text.count("is away") == 1


async def test_the_second_node_of_a_name_does_not_start_and_is_told_where_the_first_is(
    tmp_path: Path, redis: RedisServer
) -> None:
    settings = f"lease = {LEASE}"
    async with nodes(tmp_path, redis, "a", settings=settings) as [a]:
        with pytest.raises(ConfigurationError, match="name: 'a' is the name of another node, at http") as caught:
            async with node(tmp_path, configured(redis, "a", settings)):
                pass
        assert a.gateway.url in str(caught.value)
        await (await a.call()).hear()
    async with nodes(tmp_path, redis, "a", settings=settings):
        pass  # a name is free when its node has left


async def test_a_name_that_was_taken_while_redis_was_away_leaves_the_second_on_its_own(
    tmp_path: Path, caplog: Log
) -> None:
    settings = f"lease = {LEASE}"
    async with open_redis(tmp_path) as redis:
        redis.kill()
        async with (
            node(tmp_path, configured(redis, "a", settings)) as first,
            node(tmp_path, configured(redis, "a", settings)) as second,
        ):
            redis.start()
            await redis.ready()
            await eventually(lambda: "another node is called a, too, at http" in caplog.text)
            assert [(await one.post()).status for one in (first, second, second)] == [200] * 3
    assert caplog.text.count("another node is called") == 1


async def test_nodes_of_another_version_are_left_alone_and_named_once(
    tmp_path: Path, redis: RedisServer, caplog: Log
) -> None:
    redis.ask("hset", "glottis:versions", "2", "z", "x" * 400, "y")
    redis.ask("set", "glottis:2:members", "not a sorted set")
    async with nodes(tmp_path, redis, "a"):
        await eventually(lambda: "other versions" in caplog.text)
    assert redis.ask("get", "glottis:2:members") == "not a sorted set"
    [line] = [record.getMessage() for record in caplog.records if "other versions" in record.getMessage()]
    assert "2 (z)" in line
    assert len(line) < 400


@pytest.mark.parametrize("key", ["glottis:1:rate:sessions:127.0.0.1", "glottis:1:inbox:a"])
async def test_keys_that_hold_nonsense_cost_no_session(
    key: str, tmp_path: Path, redis: RedisServer, caplog: Log
) -> None:
    redis.ask("set", key, "nonsense")
    async with nodes(tmp_path, redis, "a", "b", settings=f"lease = {LEASE}") as [a, b]:
        assert [(await exchange.post()).status for exchange in (a, b, b, a)] == [200] * 4
    assert caplog.text.count("refuses") <= 2, "once for each node"
    assert "is away" not in caplog.text


@pytest.mark.parametrize("letter", ["", "nonsense", "99999999999999 {}", '99999999999999 {"kind": "tomorrow"}'])
async def test_letters_that_nobody_understands_are_left_out(
    letter: str, tmp_path: Path, redis: RedisServer, caplog: Log
) -> None:
    async with nodes(tmp_path, redis, "a", "b") as [a, b]:
        redis.ask("rpush", "glottis:1:inbox:b", letter, letter)
        for _ in range(4):
            await a.phone().create()
        assert sessions_of([a, b]) == [2, 2]
    assert caplog.text.count("a letter of another node is left out") == 1
