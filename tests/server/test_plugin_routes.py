"""Routes of plugins in a whole gateway, as its configuration enables them."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import trio.testing
from glottis import ConfigurationError, Route, RouteRequest, RouteResponse, RoutesSpec, hookimpl
from support.gateway import CONFIG, resolve_test_config
from support.http import Reply, request
from support.memory import open_memory_exchange
from support.phone import Exchange


class Shelf:
    """A route for whoever has created a session, and one for operators."""

    @hookimpl
    def register_routes(self) -> Sequence[RoutesSpec]:
        routes = [Route("GET", "/{session_id}", "session", answer), Route("GET", "/", "operator", answer)]
        return [RoutesSpec("shelf", lambda settings: routes)]


async def answer(request: RouteRequest) -> RouteResponse:
    return RouteResponse.json(dict(request.parameters))


ROUTES = CONFIG + '\n[routes]\nenabled = ["shelf"]\n'
OPERATED = ROUTES.replace('scheme = "anonymous"', 'scheme = "anonymous"\noperators = ["anonymous"]')


async def ask(exchange: Exchange, path: str) -> Reply:
    return await request(exchange.gateway, "GET", f"/api/plugins/shelf/{path}", connect=exchange.network.connect)


async def test_session_is_known_to_its_creator_and_for_a_while_after_its_end(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_memory_exchange(tmp_path, ROUTES, [Shelf()]) as exchange:
        phone = await exchange.call()
        assert (await ask(exchange, phone.session_id)).document == {"session_id": phone.session_id}
        assert (await ask(exchange, "another")).document["code"] == "SESSION_NOT_FOUND"
        await phone.hang_up()
        assert (await ask(exchange, phone.session_id)).status == 200
        await trio.sleep(901)
        assert (await ask(exchange, phone.session_id)).status == 404


@pytest.mark.parametrize(("config", "status"), [(ROUTES, 403), (OPERATED, 200)])
async def test_operators_are_those_that_the_configuration_names(
    config: str, status: int, tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_memory_exchange(tmp_path, config, [Shelf()]) as exchange:
        assert (await ask(exchange, "")).status == status


async def test_routes_that_are_not_enabled_are_not_there(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_memory_exchange(tmp_path, CONFIG, [Shelf()]) as exchange:
        assert (await ask(exchange, "")).document["code"] == "NOT_FOUND"


def test_set_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigurationError, match=r"^routes\.enabled\[0\]: no set of routes is named 'shelves'; .* shelf"
    ):
        resolve_test_config(tmp_path, ROUTES.replace('"shelf"', '"shelves"'), [Shelf()])
