from typing import Any

import pytest
from glottis import CallInfo, ConfigurationError, IceServer, Secret
from glottis.testing import IceProviderContract
from glottis_ice_turn_rest import TurnRest, TurnRestConfig, register_ice_server_providers

CALL = CallInfo("session", "campaign")
URLS = ("turn:turn.example.org", "turns:turn.example.org:443?transport=tcp")


class TestContract(IceProviderContract):
    (spec,) = register_ice_server_providers()
    settings = TurnRestConfig(urls=URLS, secret=Secret("north-north-west"))


async def test_credentials_are_those_that_coturn_expects() -> None:
    """The password was made by ``printf 1000060:session | openssl dgst -sha1 -hmac north -binary | base64``."""
    provider = TurnRest(TurnRestConfig(urls=URLS, secret=Secret("north"), lifetime=60), clock=lambda: 1_000_000.9)
    [server] = await provider.get_ice_servers(CALL)
    assert server == IceServer(URLS, "1000060:session", "UHLFPTP9ROIDUW+KmtaJ2dH5eaM=")
    server.check()


async def test_each_call_has_credentials_of_its_own() -> None:
    provider = TurnRest(TurnRestConfig(urls=URLS, secret=Secret("north")))
    servers = [
        server for call in (CALL, CallInfo("other", "campaign")) for server in await provider.get_ice_servers(call)
    ]
    assert len({server.credential for server in servers}) == 2


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"urls": ()}, "urls: expected at least one URI"),
        ({"urls": ("https://turn.example.org",)}, r"urls\[0\]: expected a STUN or TURN URI"),
        ({"secret": Secret("")}, "secret: expected the secret"),
    ],
)
def test_what_could_never_work_is_refused(fields: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        TurnRestConfig(**{"urls": URLS, "secret": Secret("north"), **fields})
