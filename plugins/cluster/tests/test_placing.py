"""Where sessions are placed, of members without gateways: seats that count what is created on them."""

import itertools
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
import trio
from glottis import CallInfo, GatewayInfo, Principal, RouteResponse, Secret, SessionWish, Statistics
from glottis_cluster import ClusterConfig, gateway_lifespan, join_cluster, session_observers
from glottis_cluster.placing import NodesCluster
from support.cluster import is_known
from support.phone import eventually
from support.redis import RedisServer

pytestmark = [
    pytest.mark.realtime,
    pytest.mark.filterwarnings("ignore:Unclosed <MemoryObject:ResourceWarning"),
]
IDS = itertools.count(1)


class Place:
    """A member, and its ``Seat``."""

    def __init__(
        self, redis: RedisServer, name: str, capacity: int = 100, agents: str = "echo", **settings: Any
    ) -> None:
        self.config = ClusterConfig(redis=Secret(redis.url), name=name, **settings)
        self.url = f"https://{name}.example"
        self.capacity = capacity
        self.campaigns: Mapping[str, Sequence[str]] = {"echo": agents.split(), "only-" + name: ["echo"]}
        self.observers: list[Any] = []
        self.unavailable = ""
        self.cluster: NodesCluster

    def sessions(self) -> int:
        return len(self.observers)

    def unavailability(self) -> str:
        return self.unavailable

    async def create(self, wish: SessionWish) -> RouteResponse:
        if self.unavailable:
            return RouteResponse.problem(503, self.unavailable, "No.")
        info = CallInfo(f"session-{next(IDS)}", wish.campaign_id, principal=wish.principal)
        self.observers += session_observers(info, self.config)
        return RouteResponse.json({"at": self.config.name})

    async def ask(self, campaign: str = "echo", **variables: Any) -> str:
        """Where a session comes to be that is asked for here."""
        body = json.dumps({"campaignId": campaign}).encode()
        wish = SessionWish(body, campaign, Principal("Ada", {"team": "x"}, 3), dynamic_variables=variables)
        response = await self.cluster.place(wish) or await self.create(wish)
        assert isinstance(response.body, bytes)
        document = json.loads(response.body)
        return str(document.get("at") or document["code"])


@asynccontextmanager
async def opened(redis: RedisServer, *places: Place) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        for place in places:
            await stack.enter_async_context(gateway_lifespan(GatewayInfo(place.url, "0.1.0"), place.config))
            place.cluster = join_cluster(place, place.config)
        await eventually(lambda: all(is_known(redis, place.config.name) for place in places))
        yield


@pytest.mark.parametrize(
    ("first", "second", "wanted", "placed"),
    [
        ({}, {}, {}, "abab"),
        ({"region": "eu"}, {"region": "us"}, {}, "aaaa"),
        ({"region": "eu"}, {"region": "us"}, {"region": "us"}, "bbbb"),
        ({"region": "eu"}, {"region": "us"}, {"region": "mars"}, "abab"),
        ({"region": "eu", "capacity": 1}, {"region": "us"}, {}, "abbb"),
        ({"region": "eu", "region_variable": "where"}, {"region": "us"}, {"where": "us", "region": "eu"}, "bbbb"),
        ({"region": "eu", "region_variable": ""}, {"region": "us"}, {"": "us", "region": "us"}, "aaaa"),
        ({}, {"agents": "echo night"}, {"agent": "night"}, "bbbb"),
        ({}, {"agents": "echo night"}, {"agent": "nobody"}, "abab"),
        ({}, {"agents": "echo night"}, {"agent": ["night"]}, "abab"),
        ({}, {"agents": "echo nightly"}, {"agent": "night"}, "abab"),
        ({"capacity": 1}, {}, {}, "abbb"),
        ({"capacity": 300}, {"capacity": 100}, {}, "abaaabaa"),
    ],
)
async def test_sessions_are_where_they_fit(
    first: dict[str, Any], second: dict[str, Any], wanted: dict[str, Any], placed: str, redis: RedisServer
) -> None:
    a, b = Place(redis, "a", **first), Place(redis, "b", **second)
    async with opened(redis, a, b):
        assert "".join([await a.ask(**wanted) for _ in placed]) == placed


async def test_a_campaign_is_where_it_is_configured(redis: RedisServer) -> None:
    a, b = Place(redis, "a"), Place(redis, "b")
    async with opened(redis, a, b):
        assert [await place.ask(f"only-{name}") for place in (a, b) for name in "abba"] == [*"abba"] * 2


async def test_a_strict_region_that_is_full_is_full(redis: RedisServer) -> None:
    a = Place(redis, "a", 1, region="eu", strict_regions=True)
    b = Place(redis, "b", region="us", strict_regions=True)
    async with opened(redis, a, b):
        assert [await a.ask(), await b.ask(region="eu"), await b.ask()] == ["a", "FULL", "b"]


async def test_a_session_is_found_that_is_written_down_a_moment_later(redis: RedisServer) -> None:
    a = Place(redis, "a")
    found: list[str] = []

    async def find(session_id: str) -> None:
        found.append((await a.cluster.find(session_id)).url)

    async with opened(redis, a), trio.open_nursery() as nursery:
        redis.ask("config", "resetstat")
        nursery.start_soon(find, "early")
        await eventually(lambda: "cmdstat_hgetall" in redis.ask("info", "commandstats"))
        redis.ask("hset", "glottis:1:session:early", "member", "b", "url", "https://b.example")
    assert found == ["https://b.example"]


async def test_those_that_end_make_room(redis: RedisServer) -> None:
    a, b = Place(redis, "a"), Place(redis, "b")
    async with opened(redis, a, b):
        assert [await a.ask() for _ in range(4)] == ["a", "b", "a", "b"]
        for observer in b.observers:
            observer.ended("the caller hung up", Statistics())
        await eventually(lambda: redis.ask("scard", "glottis:1:sessions:b") == "0")
        assert [await a.ask() for _ in range(2)] == ["b", "b"]
        assert (
            redis.ask(
                "zcard",
                "glottis:1:coming:a",
            )
            == redis.ask("zcard", "glottis:1:coming:b")
            == "0"
        )


@pytest.mark.parametrize("code", ["FULL", "OVERLOADED", "DRAINING", "STARTING"])
async def test_who_takes_nothing_is_passed_over_before_the_others_have_heard_of_it(
    code: str, redis: RedisServer
) -> None:
    a, b, c = (Place(redis, name) for name in "abc")
    async with opened(redis, a, b, c):
        b.unavailable = code
        assert [await a.ask() for _ in range(4)] == ["a", "c", "a", "c"]
        assert [await b.ask() for _ in range(2)] == ["a", "c"]
        a.unavailable = c.unavailable = code
        assert await a.ask() == code


async def test_many_who_ask_everywhere_at_once_are_spread_evenly(redis: RedisServer) -> None:
    places = [Place(redis, name) for name in "abc"]
    async with opened(redis, *places), trio.open_nursery() as nursery:
        for place in places * 10:
            nursery.start_soon(place.ask)
    assert [place.sessions() for place in places] == [10, 10, 10]


@pytest.mark.parametrize("letter", ["", "nonsense", "99999999999999 {}", '99999999999999 {"kind": "tomorrow"}'])
async def test_letters_that_nobody_understands_are_left_out(
    letter: str, redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    a, b = Place(redis, "a"), Place(redis, "b")
    async with opened(redis, a, b):
        redis.ask("rpush", "glottis:1:inbox:b", letter, letter)
        assert [await a.ask() for _ in range(4)] == ["a", "b", "a", "b"]
        assert b.cluster.counts()["letters_left_out"] == 2
    assert caplog.text.count("a letter of another node is left out") == 1


async def test_a_wish_that_comes_late_is_nobodys(redis: RedisServer) -> None:
    a, b = Place(redis, "a"), Place(redis, "b")
    async with opened(redis, a, b):
        wish = '{"kind": "wish", "id": "1", "asker": "a", "body": "", "campaign_id": "echo", "principal": "Ada"}'
        redis.ask("rpush", "glottis:1:inbox:b", f"1000 {wish}")
        await eventually(lambda: b.cluster.counts()["wishes_too_late"])
        assert b.sessions() == 0


async def test_a_member_that_does_not_answer_is_passed_over(redis: RedisServer) -> None:
    a, b = Place(redis, "a"), Place(redis, "b")
    async with opened(redis, a, b):
        # A third that is as if it had died just now.
        redis.ask("zadd", "glottis:1:members", "99999999999999", "z")
        redis.ask(
            "hset",
            "glottis:1:member:z",
            "unavailable",
            "",
            "capacity",
            "1000",
            "region",
            "",
            "campaign:echo",
            "\necho\n",
        )
        assert await a.ask() == "a"
        assert {await a.ask(), await a.ask()} == {"a", "b"}


async def test_what_is_too_long_stays_where_it_is(redis: RedisServer) -> None:
    a, b = Place(redis, "a"), Place(redis, "b")
    async with opened(redis, a, b):
        wish = SessionWish(bytes(300_000), "echo", Principal("Ada"))
        assert [await a.cluster.place(wish) for _ in range(3)] == [None] * 3


async def test_a_url_that_two_nodes_have_is_told(redis: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    a, b = Place(redis, "a"), Place(redis, "b")
    b.url = a.url
    async with opened(redis, a, b):
        await eventually(lambda: "has the same, https://a.example" in caplog.text)
    assert caplog.text.count("has the same") <= 2, "once by each node"
