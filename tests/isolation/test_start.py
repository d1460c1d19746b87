"""A plugin that fails at the start is left out or refused, with its name: the others are served as ever."""

from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from glottis import (
    AgentSpec,
    AuthSchemeSpec,
    IceServerProviderSpec,
    Page,
    PagesSpec,
    RoutesSpec,
    hookimpl,
)
from glottis.config import load_config, resolve
from glottis.contracts.errors import PluginError
from glottis.plugins import load_plugins
from support.contracts import hooks
from support.faults import ERRORS, NONSENSE, Fault
from support.gateway import CONFIG

pytestmark = pytest.mark.slow

FAULTS = [*ERRORS, *NONSENSE]


class Installed(EntryPoint):
    """An entry point of something that need not be imported."""

    def load(self) -> object:
        implementation: object = vars(self)["implementation"]
        return implementation


def installed(name: str, implementation: object) -> EntryPoint:
    entry_point = Installed(name=name, value=f"{name}_plugin", group="glottis")
    vars(entry_point).update(implementation=implementation, dist=None)
    return entry_point


def failing_in(hook: str, fault: Fault) -> object:
    """A plugin that has this hook, and this fault in it."""

    def call(self: object) -> object:
        return fault.strike()

    call.__name__ = hook
    return type("Failing", (), {hook: hookimpl(call)})()


class Healthy:
    @hookimpl
    def register_pages(self) -> list[PagesSpec]:
        return [PagesSpec("healthy", {"/healthy": Page(b"", "text/plain")})]


@pytest.mark.parametrize("fault", FAULTS, ids=str)
@pytest.mark.parametrize("hook", sorted(hooks()))
def test_a_plugin_whose_hook_fails_is_left_out_and_named(hook: str, fault: Fault) -> None:
    plugins = [installed("failing", failing_in(hook, fault)), installed("healthy", Healthy())]
    registry = load_plugins(installed=plugins)
    assert [plugin.name for plugin in registry.plugins] == ["healthy"]
    assert registry.pages.names == ["healthy"]
    (broken,) = registry.broken
    assert str(broken).startswith("plugin failing")
    assert hook in str(broken)
    assert len(str(broken)) < 1000


@pytest.mark.parametrize("fault", ERRORS, ids=str)
def test_a_plugin_whose_import_fails_is_left_out_and_named(fault: Fault) -> None:
    class Broken(Installed):
        def load(self) -> object:
            return fault.strike()

    failing = Broken(name="failing", value="failing_plugin", group="glottis")
    vars(failing)["dist"] = None
    registry = load_plugins(installed=[failing, installed("healthy", Healthy())])
    assert registry.pages.names == ["healthy"]
    assert [str(broken).partition(" (")[0] for broken in registry.broken] == ["plugin failing"]


class Maker:
    """A plugin that cannot make what it has registered."""

    def __init__(self, fault: Fault) -> None:
        self._fault = fault

    def _make(self, settings: object) -> object:
        return self._fault.strike()

    @hookimpl
    def register_agents(self) -> list[AgentSpec]:
        return [AgentSpec("maker", self._make)]  # type: ignore[arg-type]

    @hookimpl
    def register_auth_schemes(self) -> list[AuthSchemeSpec]:
        return [AuthSchemeSpec("maker", self._make)]  # type: ignore[arg-type]

    @hookimpl
    def register_ice_server_providers(self) -> list[IceServerProviderSpec]:
        return [IceServerProviderSpec("maker", self._make)]  # type: ignore[arg-type]

    @hookimpl
    def register_routes(self) -> list[RoutesSpec]:
        return [RoutesSpec("maker", self._make)]  # type: ignore[arg-type]


NAMED_IN = {
    "AgentSpec": CONFIG + '\n[campaigns.maker]\nagent = "maker"\n',
    "AuthSchemeSpec": CONFIG.replace('"anonymous"', '"maker"'),
    "IceServerProviderSpec": CONFIG + '\n[ice_servers]\nproviders = ["maker"]\n',
    "RoutesSpec": CONFIG + '\n[routes]\nenabled = ["maker"]\n',
}
"""What the configuration says that names what cannot be made."""


@pytest.mark.parametrize("fault", FAULTS, ids=str)
@pytest.mark.parametrize("spec", NAMED_IN)
def test_a_gateway_whose_plugin_cannot_make_its_part_does_not_start_and_says_whose(
    spec: str, fault: Fault, tmp_path: Path
) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text(NAMED_IN[spec])
    with pytest.raises(PluginError, match=r"plugin Maker \(given directly\): (what )?create of maker"):
        resolve(load_config(path, {}), load_plugins(extra=[Maker(fault)]))
