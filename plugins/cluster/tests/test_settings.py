"""What can be configured, and what cannot; and whose clock counts."""

import ast
from pathlib import Path

import glottis_cluster
import pytest
from glottis import ConfigurationError, Secret
from glottis_cluster import ClusterConfig
from glottis_cluster.membership import Membership
from glottis_cluster.store import Store

PACKAGE = Path(glottis_cluster.__file__).parent


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("redis://127.0.0.1", "127.0.0.1:6379"),
        ("redis://:secret@redis.example.org:7000/3", "redis.example.org:7000"),
        ("rediss://user:secret@[2001:db8::1]/0", "2001:db8::1:6379"),
        ("unix:///run/redis.sock", "/run/redis.sock"),
    ],
)
def test_the_log_says_where_redis_is_without_its_password(url: str, place: str) -> None:
    config = ClusterConfig(redis=Secret(url))
    assert config.place == place
    assert "secret" not in repr(config)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        *(({"redis": url}, "redis: expected a URL") for url in ("", "127.0.0.1:6379", "http://127.0.0.1", "redis://")),
        *(({"redis": f"redis://h{rest}"}, "redis: ") for rest in (":0", ":70000", "/name", "/0?db=5", "#x", "/0/1")),
        ({"redis": "unix://host"}, "redis: "),
        ({"name": "a b"}, "name: expected letters, digits"),
        ({"name": "a~1"}, "name: expected letters, digits"),
        ({"region": "-"}, "region: "),
        ({"prefix": ""}, "prefix: "),
        ({"prefix": "a:b"}, "prefix: "),
    ],
)
def test_what_cannot_be_is_said_in_words(settings: dict[str, str], problem: str) -> None:
    values = {"redis": "redis://127.0.0.1"} | settings
    redis = Secret(values.pop("redis"))
    with pytest.raises(ConfigurationError, match=problem):
        ClusterConfig(redis=redis, **values)  # type: ignore[arg-type]


def test_a_node_without_a_name_has_that_of_the_machine() -> None:
    assert ClusterConfig(redis=Secret("redis://h")).node
    assert ClusterConfig(redis=Secret("redis://h"), name="a").node == "a"


@pytest.mark.parametrize(
    ("url", "reaches"),
    [
        ("http://0.0.0.0:8080", False),
        ("http://[::]:8080", False),
        ("http://127.0.0.1:8080", True),
        ("https://a.example", True),
    ],
)
def test_all_addresses_of_a_machine_are_no_url(url: str, reaches: bool) -> None:
    config = ClusterConfig(redis=Secret("redis://h"))
    assert Membership(config, Store(config), url, 0).is_reachable == reaches


def test_workers_of_one_gateway_are_one_node_and_gateways_are_not() -> None:
    config = ClusterConfig(redis=Secret("redis://h"), name="a")
    members = [Membership(config, Store(config), "http://a", number) for number in (0, 1, 2)]
    assert [member.member for member in members] == ["a", "a~1", "a~2"]


def test_nobody_asks_this_machine_what_time_it_is() -> None:
    """Leases and deadlines are by the clock of Redis, so clocks of nodes may differ."""
    for path in PACKAGE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
            assert "time" not in names, path.name
            assert not (isinstance(node, ast.Attribute) and node.attr in ("now", "utcnow", "time")), path.name
