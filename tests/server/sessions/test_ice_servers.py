"""What the providers of ICE servers return reaches clients only as far as browsers take it."""

import logging
from typing import Any

import pytest
import trio
import trio.testing
from glottis import CallInfo, IceServer
from glottis.config import NamedProvider
from glottis.contracts.clock import WallClock
from glottis.plugins.manager import Plugin
from glottis.server.sessions.ice_servers import IceServerDesk
from glottis.server.sessions.renewal import LONGEST_STEP, renew_ice_servers

CALL = CallInfo("session", "campaign")
GOOD = IceServer(("stun:stun.example",))
TURN = IceServer(("turn:turn.example",), "user", "hunter2")


class Trap(IceServer):
    """Raises when it is looked at."""

    def __init__(self) -> None:
        """It has nothing."""

    @property
    def urls(self) -> Any:
        raise SystemExit("trapped")


class Liar(IceServer):
    """Says of itself that it can be used."""

    def check(self) -> None:
        """It is none the better for it."""


class Endless(list[Any]):
    """Raises when it is read."""

    def __iter__(self) -> Any:
        raise SystemExit("trapped")


def provider(name: str, result: Any) -> NamedProvider:
    class Provider:
        async def get_ice_servers(self, call_info: CallInfo) -> list[IceServer]:
            return result  # type: ignore[no-any-return]

    return NamedProvider(name, Provider(), Plugin(name, f"glottis-{name}", "1.2"))


async def test_good_servers_come_in_the_order_of_their_providers() -> None:
    assert await IceServerDesk([provider("a", [TURN]), provider("b", (GOOD,))], 1.0).ask(CALL) == [TURN, GOOD]


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
        (IceServer(("stun:a",) * 33), "urls: expected at most 32 URIs, got 33"),
        (Trap(), "SystemExit: trapped"),
        (Liar(("http://x",)), "urls[0]: expected a STUN or TURN URI"),
    ],
)
async def test_unusable_server_is_left_out_and_its_provider_named(
    bad: Any, complaint: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert await IceServerDesk([provider("a", [GOOD, bad, TURN])], 1.0).ask(CALL) == [GOOD, TURN]
    [record] = caplog.records
    assert record.levelno == logging.ERROR
    prefix = "ICE server left out: [1] of a of plugin a (glottis-a 1.2): "
    assert record.getMessage().startswith(prefix + complaint)


@pytest.mark.parametrize(
    "result", [None, "stun:a", {"urls": ["stun:a"]}, GOOD, 7, (server for server in [GOOD]), {GOOD}, range(100_000)]
)
async def test_result_that_is_no_list_leaves_out_that_provider_alone(
    result: Any, caplog: pytest.LogCaptureFixture
) -> None:
    assert await IceServerDesk([provider("a", result), provider("b", [GOOD])], 1.0).ask(CALL) == [GOOD]
    [record] = caplog.records
    assert "plugin a (glottis-a 1.2)" in record.getMessage()
    assert f"returned {type(result).__name__}, expected a list of IceServer" in caplog.text


async def test_more_servers_than_any_client_wants_are_left_out(caplog: pytest.LogCaptureFixture) -> None:
    for wanted, bad in ((32, []), (0, [None] * 100)):
        caplog.clear()
        result = [*bad, *[GOOD] * 100_000]
        assert len(await IceServerDesk([provider("a", result)], 1.0).ask(CALL)) == wanted
        assert len(caplog.records) == 1 + min(len(bad), 32)
        assert f"{len(result) - 32} of plugin a (glottis-a 1.2) beyond the first 32" in caplog.records[-1].getMessage()


async def test_a_list_that_raises_leaves_out_that_provider_alone(caplog: pytest.LogCaptureFixture) -> None:
    assert await IceServerDesk([provider("a", Endless([GOOD])), provider("b", [GOOD])], 1.0).ask(CALL) == [GOOD]
    [record] = caplog.records
    assert record.getMessage() == "ICE servers left out: plugin a (glottis-a 1.2) failed"


async def test_clients_are_told_of_copies() -> None:
    class Server(IceServer):
        """One that knows more than clients are told."""

    urls = ["stun:stun.example"]
    [server] = await IceServerDesk([provider("a", [Server(urls, "u", "c")])], 1.0).ask(CALL)  # type: ignore[arg-type]
    assert type(server) is IceServer
    urls.append("http://x")
    assert server == IceServer(("stun:stun.example",), "u", "c")


class LongCall:
    """``told`` is what its client was told, and when."""

    def __init__(self) -> None:
        self.info = CALL
        self.created_at = trio.current_time()
        self.told: list[tuple[float, str | None]] = []

    def tell_ice_servers(self, servers: list[IceServer]) -> None:
        self.told += [(trio.current_time() - self.created_at, server.username) for server in servers]


async def test_clients_are_told_others_regularly_and_when_the_machine_learns_the_time(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Credentials from 1970 that are good for a day have expired."""
    call, servers, years = LongCall(), [IceServer(("turn:turn.example",), "86400", "secret")], 0
    clock = WallClock(lambda: years * 31_557_600 + trio.current_time(), trio.current_time)
    sessions: Any = lambda: [call]  # noqa: E731  # of which no more is asked
    async with trio.open_nursery() as nursery:
        nursery.start_soon(renew_ice_servers, sessions, IceServerDesk([provider("a", servers)], 1.0), 3600.0, clock)
        await trio.sleep(10.5 * LONGEST_STEP)
        assert call.told == []
        years, servers[0] = 56, IceServer(("turn:turn.example",), "1767312000", "secret")
        await trio.sleep(3600)
        assert call.told == [(11 * LONGEST_STEP, "1767312000"), (3600, "1767312000")]
        nursery.cancel_scope.cancel()
