"""Extensions that live as long as the gateway, and what becomes of it if they fail."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import NoReturn

import pytest
import trio
import trio.testing
from glottis import AuthRequest, AuthSchemeSpec, ConfigurationError, GatewayInfo, PluginError, hookimpl
from glottis.plugins import Plugin
from glottis.plugins.extensions import Extension
from glottis.server.gateway import open_gateway
from glottis.server.lifespans import STOPPING, lifespans
from support.gateway import CONFIG, resolve_test_config
from support.memory import MemoryListener, MemoryNetwork

Log = pytest.LogCaptureFixture
Clock = trio.testing.MockClock
INFO = GatewayInfo("http://127.0.0.1:8080", "0.1.0")


def extension(name: str, hook: Callable[..., object]) -> Extension:
    return Extension(name, Plugin(name, f"glottis-{name}", "1.0", name), {"gateway_lifespan": hook})


def noting(notes: list[str], name: str) -> Extension:
    @asynccontextmanager
    async def live(gateway_info: GatewayInfo, settings: None) -> AsyncIterator[None]:
        assert gateway_info is INFO
        notes.append(f"{name} begins")
        yield
        notes.append(f"{name} ends")

    return extension(name, live)


async def test_lives_begin_first_to_last_and_end_last_to_first() -> None:
    notes: list[str] = []
    async with lifespans([noting(notes, "one"), noting(notes, "two")], [INFO, INFO]):
        notes.append("served")
    assert notes == ["one begins", "two begins", "served", "two ends", "one ends"]


async def test_a_life_that_cannot_begin_is_named_and_those_before_it_end() -> None:
    @asynccontextmanager
    async def fail(**_: object) -> AsyncIterator[None]:
        raise OSError("no such database")
        yield

    notes: list[str] = []
    with pytest.raises(PluginError, match=r"plugin two \(glottis-two 1.0\): gateway_lifespan raised OSError: no such"):
        async with lifespans([noting(notes, "one"), extension("two", fail)], [INFO, INFO]):
            notes.append("served")
    assert notes == ["one begins", "one ends"]


async def test_a_setting_that_proves_wrong_is_told_as_such() -> None:
    def refuse(**_: object) -> NoReturn:
        raise ConfigurationError("extensions.settings.one.url: expected another")

    with pytest.raises(ConfigurationError, match="expected another"):
        async with lifespans([extension("one", refuse)], [INFO]):
            raise AssertionError


@pytest.mark.parametrize("made", [None, 7, lambda: None])
async def test_what_is_no_context_manager_is_named(made: object) -> None:
    with pytest.raises(PluginError, match=r"plugin one \(glottis-one 1.0\): gateway_lifespan returned"):
        async with lifespans([extension("one", lambda **_: made)], [INFO]):
            raise AssertionError


async def test_a_background_task_that_fails_does_not_end_the_gateway(autojump_clock: Clock, caplog: Log) -> None:
    async def fail() -> None:
        await trio.sleep(1)
        raise ZeroDivisionError

    @asynccontextmanager
    async def live(**_: object) -> AsyncIterator[None]:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fail)
            yield

    notes: list[str] = []
    async with lifespans([extension("one", live), noting(notes, "two")], [INFO, INFO]):
        await trio.sleep(2)
        notes.append("served")
    assert notes == ["two begins", "served", "two ends"]
    (record,) = caplog.records
    assert "plugin one (glottis-one 1.0): gateway_lifespan has failed: the gateway goes on" in record.getMessage()


async def test_a_life_that_does_not_end_is_cancelled(autojump_clock: Clock, caplog: Log) -> None:
    @asynccontextmanager
    async def live(**_: object) -> AsyncIterator[None]:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            yield

    began = trio.current_time()
    async with lifespans([extension("one", live)], [INFO]):
        pass
    assert trio.current_time() - began == pytest.approx(STOPPING)
    assert "plugin one (glottis-one 1.0): gateway_lifespan does not end: it is cancelled" in caplog.text


async def test_a_gateway_that_is_cancelled_still_lets_them_clear_away(autojump_clock: Clock) -> None:
    notes: list[str] = []
    with trio.move_on_after(1):
        async with lifespans([noting(notes, "one")], [INFO]):
            await trio.sleep_forever()
    assert notes == ["one begins", "one ends"]


class Scheme:
    def __init__(self, settings: None) -> None:
        self.life: list[object] = []
        schemes.append(self)

    async def authenticate(self, request: AuthRequest) -> None:
        """Lets nobody in."""

    @asynccontextmanager
    async def gateway_lifespan(self, gateway_info: GatewayInfo) -> AsyncIterator[None]:
        self.life.append(gateway_info.url)
        yield
        self.life.append("ended")


schemes: list[Scheme] = []


class Auth:
    @hookimpl
    def register_auth_schemes(self) -> list[AuthSchemeSpec]:
        return [AuthSchemeSpec("living", Scheme)]


async def test_an_auth_scheme_may_live_as_long_as_the_gateway(tmp_path: Path) -> None:
    network = MemoryNetwork()
    config = resolve_test_config(tmp_path, CONFIG.replace('"anonymous"', '"living"'), [Auth()])
    with network.gateway:
        async with open_gateway(config, endpoint=network.gateway, listeners=[MemoryListener()]) as gateway:
            assert schemes[-1].life == [gateway.url]
    assert schemes.pop().life[1:] == ["ended"]


class Failing:
    @hookimpl
    def gateway_lifespan(self) -> AbstractAsyncContextManager[None]:
        raise ConnectionError("no such database")


class Listener(MemoryListener):
    closed = 0

    async def aclose(self) -> None:
        self.closed += 1


async def test_a_gateway_whose_extension_cannot_begin_does_not_start_and_listens_no_more(tmp_path: Path) -> None:
    network, listener = MemoryNetwork(), Listener()
    config = resolve_test_config(tmp_path, f'{CONFIG}\n[extensions]\nenabled = ["Failing"]', [Failing()])
    with network.gateway, pytest.raises(PluginError, match=r"plugin Failing .*: gateway_lifespan raised"):
        async with open_gateway(config, endpoint=network.gateway, listeners=[listener]):
            raise AssertionError
    assert listener.closed == 1
