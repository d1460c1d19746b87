"""Redis away, or wrong, or with others in it: calls go on, and the log has it in words."""

from pathlib import Path

import pytest
import trio
from glottis import ConfigurationError
from support.cluster import LEASE, configured, end_of, is_known, node, nodes, sessions_of, told
from support.phone import eventually
from support.redis import RedisServer, open_redis

pytestmark = [
    pytest.mark.realtime,
    pytest.mark.filterwarnings("ignore:Unclosed <MemoryObject:ResourceWarning"),  # of connections that broke
]
Log = pytest.LogCaptureFixture


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
        await trio.sleep(1.1 * LEASE)
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
        assert (await told(a, f"sessions/{phones[1].session_id}")).document["state"] == "active"
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


async def test_a_node_that_comes_and_goes_is_told_twice_and_its_sessions_are_counted(
    tmp_path: Path, redis: RedisServer, caplog: Log
) -> None:
    async with nodes(tmp_path, redis, "a", settings=f"lease = {LEASE}"):
        for count in (1200, 2, 3):  # of the first one more than are ended in one step
            redis.ask("sadd", "glottis:1:sessions:gone", *map(str, range(count)))
            redis.ask("zadd", "glottis:1:members", "1", "gone")
            await eventually(lambda: not redis.ask("zscore", "glottis:1:members", "gone"))
    first, second = [record.getMessage() for record in caplog.records if "node gone" in record.getMessage()]
    assert first == "node gone is lost; sessions that have ended with it: 1200"
    assert second.startswith("node gone was there again, and is lost once more, with 2 sessions")
    assert not redis.ask("keys", "glottis:1:*gone*")
