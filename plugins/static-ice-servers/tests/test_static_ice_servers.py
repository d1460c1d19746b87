import pytest
from glottis import CallInfo, ConfigurationError, IceServer, Secret
from glottis_static_ice_servers import Server, StaticConfig, StaticIceServers
from glottis_static_ice_servers.uri import is_stun_uri, is_turn_uri

CALL = CallInfo("session", "campaign")


async def test_there_is_no_server_by_default() -> None:
    assert await StaticIceServers(StaticConfig()).get_ice_servers(CALL) == []


async def test_servers_come_in_the_configured_order() -> None:
    config = StaticConfig(
        servers=(
            Server(urls=("turn:turn.example.org",), username="user", credential=Secret("pass")),
            Server(urls=("stun:192.0.2.1",)),
        )
    )
    assert await StaticIceServers(config).get_ice_servers(CALL) == [
        IceServer(("turn:turn.example.org",), "user", "pass"),
        IceServer(("stun:192.0.2.1",)),
    ]


# The examples are those of RFC 7064 appendix A and RFC 7065 appendix A, and IPv6 ones.
@pytest.mark.parametrize(
    "uri",
    ["stun:example.org", "stuns:example.org", "stun:example.org:8000", "STUN:192.0.2.1", "stun:[2001:db8::1]:3478"],
)
def test_stun_uris(uri: str) -> None:
    assert is_stun_uri(uri)
    assert not is_turn_uri(uri)


@pytest.mark.parametrize(
    "uri",
    [
        "turn:example.org",
        "turns:example.org",
        "turn:example.org:8000",
        "turn:example.org?transport=udp",
        "turns:example.org:443?transport=tcp",
        "turn:[::1]",
    ],
)
def test_turn_uris(uri: str) -> None:
    assert is_turn_uri(uri)
    assert not is_stun_uri(uri)


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "example.org",
        "http://example.org",
        "stun://example.org",
        "stun:",
        "stun:example.org:0",
        "stun:example.org:65536",
        "stun:user@example.org",
        "stun:example.org?transport=udp",
        "turn:example.org?transport=sctp",
        "turn:[2001:db8::1",
        "turn:[1.2.3]",
        "stun:example.org\n",
        " stun:example.org",
    ],
)
def test_anything_else_is_refused(uri: str) -> None:
    with pytest.raises(ConfigurationError, match=r"urls\[0\]: expected"):
        Server(urls=(uri,), username="user", credential=Secret("pass"))


def test_a_turn_server_without_credential_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="needs a username"):
        Server(urls=("turn:example.org",), username="user")
