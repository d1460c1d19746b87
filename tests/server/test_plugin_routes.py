"""Routes of plugins in a whole gateway, as its configuration enables them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trio.testing
from glottis import ConfigurationError, DoorRefused, Route, RouteRequest, RouteResponse, RoutesSpec, hookimpl
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


class Wording(Shelf):
    """Clients of these routes know no problem documents."""

    def __init__(self, refuse: Any) -> None:
        self.refuse = refuse

    @hookimpl
    def register_routes(self) -> Sequence[RoutesSpec]:
        return [replace(spec, refuse=self.refuse) for spec in super().register_routes()]


async def test_what_the_gateway_refuses_is_worded_by_whose_folder_it_is(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    def refuse(refused: DoorRefused) -> RouteResponse:
        return RouteResponse(refused.status, f"{refused.code}: {refused.detail}".encode())

    async with open_memory_exchange(tmp_path, ROUTES, [Wording(refuse)]) as exchange:
        nowhere = await ask(exchange, "a/b")
        assert (nowhere.status, nowhere.body) == (404, b"NOT_FOUND: Use a path that the gateway serves.")
        assert nowhere.headers["content-type"] == "text/plain; charset=utf-8"
        assert (await ask(exchange, "")).body.startswith(b"FORBIDDEN: ")
        elsewhere = await request(exchange.gateway, "GET", "/nowhere", connect=exchange.network.connect)
        assert elsewhere.document["code"] == "NOT_FOUND"


@pytest.mark.parametrize("refuse", [lambda refused: 1 // 0, lambda refused: None, lambda refused: RouteResponse(7)])
async def test_wording_that_fails_is_left_out(
    refuse: Any, tmp_path: Path, autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_memory_exchange(tmp_path, ROUTES, [Wording(refuse)]) as exchange:
        assert (await ask(exchange, "a/b")).document["code"] == "NOT_FOUND"
    assert "refuse of shelf" in caplog.text


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
