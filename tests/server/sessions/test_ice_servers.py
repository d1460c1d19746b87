"""What the providers of ICE servers return reaches clients only as far as browsers take it."""

import logging
from typing import Any

import pytest
from glottis import CallInfo, IceServer
from glottis.config import NamedProvider
from glottis.plugins.manager import Plugin
from glottis.server.sessions.ice_servers import gather_ice_servers

CALL = CallInfo("session", "campaign")
GOOD = IceServer(("stun:stun.example",))
TURN = IceServer(("turn:turn.example",), "user", "hunter2")


def provider(name: str, result: Any) -> NamedProvider:
    class Provider:
        async def get_ice_servers(self, call_info: CallInfo) -> list[IceServer]:
            return result  # type: ignore[no-any-return]

    return NamedProvider(name, Provider(), Plugin(name, f"glottis-{name}", "1.2"))


async def test_good_servers_come_in_the_order_of_their_providers() -> None:
    assert await gather_ice_servers([provider("a", [TURN]), provider("b", (GOOD,))], CALL, 1.0) == [TURN, GOOD]


@pytest.mark.parametrize(
    ("bad", "complaint"),
    [
        (IceServer(("http://x",)), "urls[0]: expected a STUN or TURN URI"),
        (IceServer(("stun:a", "stun:b?transport=udp")), "urls[1]: expected a STUN or TURN URI"),
        (IceServer("stun:a"), "urls: expected at least one URI, in a tuple"),  # type: ignore[arg-type]
        (IceServer(("turn:a",), "user"), "urls: a TURN server needs a username and a credential"),
        ({"urls": ["stun:a"]}, "expected an IceServer, got dict"),
        ("stun:a", "expected an IceServer, got str"),
        (None, "expected an IceServer, got NoneType"),
    ],
)
async def test_unusable_server_is_left_out_and_its_provider_named(
    bad: Any, complaint: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert await gather_ice_servers([provider("a", [GOOD, bad, TURN])], CALL, 1.0) == [GOOD, TURN]
    [record] = caplog.records
    assert record.levelno == logging.ERROR
    prefix = "ICE server left out: [1] of a of plugin a (glottis-a 1.2): "
    assert record.getMessage().startswith(prefix + complaint)


@pytest.mark.parametrize("result", [None, "stun:a", {"urls": ["stun:a"]}, GOOD, 7])
async def test_result_that_is_no_list_leaves_out_that_provider_alone(
    result: Any, caplog: pytest.LogCaptureFixture
) -> None:
    assert await gather_ice_servers([provider("a", result), provider("b", [GOOD])], CALL, 1.0) == [GOOD]
    [record] = caplog.records
    assert "plugin a (glottis-a 1.2)" in record.getMessage()
    assert f"returned {type(result).__name__}, expected a list of IceServer" in caplog.text
