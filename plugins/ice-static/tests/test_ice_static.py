from typing import Any

import pytest
from glottis import CallInfo, ConfigurationError, IceServer, Secret
from glottis.testing import IceProviderContract
from glottis_ice_static import Server, StaticConfig, StaticIceServers, register_ice_server_providers

CALL = CallInfo("session", "campaign")


class TestContract(IceProviderContract):
    (spec,) = register_ice_server_providers()
    settings = StaticConfig(
        servers=(Server(urls=("turn:turn.example.org",), username="user", credential=Secret("correct-horse")),)
    )


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


@pytest.mark.parametrize(
    ("server", "complaint"),
    [
        ({"urls": ()}, "urls: expected at least one URI"),
        ({"urls": ("stun:example.org", "http://example.org")}, r"urls\[1\]: expected a STUN or TURN URI"),
        ({"urls": ("turn:example.org",), "username": "user"}, "urls: a TURN server needs a username and a credential"),
    ],
)
def test_server_that_no_browser_would_take_is_refused(server: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        Server(**server)
