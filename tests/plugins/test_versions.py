"""Hooks have versions: plugins of older ones are called as ever, and those that cannot be are told why."""

import sys
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint, distributions
from pathlib import Path
from types import ModuleType
from typing import Any

import glottis
import pytest
from glottis.config import load_config, resolve
from glottis.contracts import hookspecs
from glottis.contracts.deprecation import Deprecated, deprecated
from glottis.contracts.errors import PluginError
from glottis.contracts.hookspecs import API_VERSION, OLDEST_API_VERSION, SINCE, hookspec
from glottis.plugins import Plugin, load_plugins
from glottis.plugins.manager import PluginManager
from support.imports import imports_of

InstallPlugin = Callable[..., EntryPoint]

RELIC = Path(__file__).parent / "relic"
CONFIG = """
[auth]
scheme = "relic"
settings = { password = "sesame" }
[ice_servers]
providers = ["relic"]
[media]
codecs = ["RELIC"]
[pages]
enabled = ["relic"]
[campaigns.greetings]
agent = "relic"
"""
EMPTY = "from glottis import hookimpl\n@hookimpl\ndef register_agents():\n    return []\n"


@pytest.fixture(name="relic")
def install_relic() -> Iterator[list[EntryPoint]]:
    with imports_of(RELIC):
        sys.path.insert(0, str(RELIC))
        yield [entry for one in distributions(path=[str(RELIC)]) for entry in one.entry_points]


def test_a_plugin_of_the_version_before_has_all_it_registers_made(relic: list[EntryPoint], tmp_path: Path) -> None:
    path = tmp_path / "glottis.toml"
    path.write_text(CONFIG)
    with pytest.warns(Deprecated) as caught:
        registry = load_plugins(installed=relic)
    assert registry.broken == ()
    told = "is deprecated since version 3 of the hooks: the gateway makes the tokens of sessions itself"
    said = [str(warning.message) for warning in caught]
    for name in ("HmacTokens", "TokenClaims"):
        assert any(text.startswith(f"plugin relic (glottis-relic 2.0): glottis.{name} {told}") for text in said)
    assert {Path(warning.filename).parent for warning in caught} == {RELIC / "glottis_relic"}
    resolved = resolve(load_config(path, {}), registry)
    assert str(resolved.auth.plugin) == "plugin relic (glottis-relic 2.0)"
    assert [codec.spec.encoding_name for codec in resolved.codecs] == ["RELIC"]
    assert [provider.name for provider in resolved.ice_server_providers] == ["relic"]
    assert list(resolved.pages) == ["/relic"]
    settings: Any = resolved.campaigns["greetings"].agent.settings
    assert settings.greeting.make().text("you") == "Good day, you."


@pytest.mark.parametrize(
    ("declared", "reason"),
    [
        (
            f"{API_VERSION + 1}",
            rf"made for version {API_VERSION + 1} of the hooks, and this glottis .*: update glottis",
        ),
        (f"{OLDEST_API_VERSION - 1}", "made for version 0 of the hooks, .*: update the plugin"),
        ("'3'", "GLOTTIS_API_VERSION: expected a whole number such as .*, got str"),
        ("True", "GLOTTIS_API_VERSION: expected a whole number such as .*, got bool"),
    ],
)
def test_a_plugin_of_a_version_that_is_not_to_be_had_is_left_out(
    declared: str, reason: str, install_plugin: InstallPlugin
) -> None:
    plugin = install_plugin(f"GLOTTIS_API_VERSION = {declared}\n{EMPTY}", name="other", version="9.1")
    (broken,) = load_plugins(installed=[plugin]).broken
    assert str(broken).startswith("plugin other (dist-other 9.1): ")
    with pytest.raises(PluginError, match=reason):
        raise PluginError(broken.reason)


@pytest.mark.parametrize("version", range(OLDEST_API_VERSION, API_VERSION + 1))
def test_every_version_in_between_is_taken(version: int, install_plugin: InstallPlugin) -> None:
    plugin = install_plugin(f"GLOTTIS_API_VERSION = {version}\n{EMPTY}", name="some")
    assert load_plugins(installed=[plugin]).broken == ()


def test_a_plugin_that_uses_more_than_the_version_that_it_names_is_told(install_plugin: InstallPlugin) -> None:
    source = "GLOTTIS_API_VERSION = 1\n" + EMPTY.replace("register_agents", "register_components")
    (broken,) = load_plugins(installed=[install_plugin(source, name="hasty")]).broken
    assert broken.reason == (
        "GLOTTIS_API_VERSION is 1, and register_components came with version 2 of the hooks: make it 2"
    )


def test_what_glottis_has_not_yet_is_missed_with_its_version(install_plugin: InstallPlugin) -> None:
    missing = install_plugin("from glottis import Telepathy", name="seer")
    unknown = install_plugin(EMPTY.replace("register_agents", "overhear"), name="thinker")
    mistyped = install_plugin(EMPTY.replace("register_agents", "register_agent"), name="typist")
    reasons = {
        broken.plugin.name: broken.reason for broken in load_plugins(installed=[missing, unknown, mistyped]).broken
    }
    assert "cannot import name 'Telepathy'" in reasons["seer"]
    assert reasons["seer"].endswith(f" has version {API_VERSION}: it was made for another")
    assert "no hook is named overhear, expected some of " in reasons["thinker"]
    assert "no hook is named register_agent, did you mean register_agents?" in reasons["typist"]


def test_a_hook_that_a_plugin_can_do_without_may_be_unknown(install_plugin: InstallPlugin) -> None:
    optional = EMPTY.replace("register_agents", "register_thoughts").replace(
        "hookimpl\ndef", "hookimpl(optionalhook=True)\ndef"
    )
    assert load_plugins(installed=[install_plugin(EMPTY + optional, name="thinker")]).broken == ()


def test_one_object_is_registered_once() -> None:
    module = ModuleType("twice")
    exec(EMPTY, module.__dict__)
    manager = PluginManager()
    manager.register(module, Plugin("one"))
    with pytest.raises(PluginError, match=r"plugin two .*: registered twice, plugin one .* is the same object"):
        manager.register(module, Plugin("two"))


# Hooks as they may be one day


def specifications() -> ModuleType:
    module = ModuleType("specifications")

    @hookspec(warn_on_impl_args={"mood": deprecated("the argument mood of greet", 4, "ask the call")})
    def greet(name: str, mood: str, place: str) -> str:
        """A hook whose last argument was added later."""
        raise NotImplementedError

    @hookspec(warn_on_impl=deprecated("wave", 4, "implement greet instead"))
    def wave() -> str:
        raise NotImplementedError

    vars(module).update(greet=greet, wave=wave)
    return module


class OfVersionOne:
    @glottis.hookimpl
    def greet(self, name: str) -> str:
        return f"Hello {name}"


class Newest:
    @glottis.hookimpl
    def greet(self, place: str, name: str) -> str:
        return f"Hello {name} in {place}"


def test_arguments_go_by_name_to_who_takes_them() -> None:
    manager = PluginManager(specifications=specifications())
    for plugin in (OfVersionOne(), Newest()):
        manager.register(plugin, Plugin(type(plugin).__name__))
    said = [call(name="you", mood="good", place="here") for _, call in manager.implementations("greet")]
    assert said == ["Hello you", "Hello you in here"]


class Waver:
    @glottis.hookimpl
    def wave(self) -> str:
        return ""


class Moody:
    @glottis.hookimpl
    def greet(self, mood: str) -> str:
        return mood


@pytest.mark.parametrize(
    ("plugin", "said"),
    [
        (Waver(), "wave is deprecated since version 4 of the hooks: implement greet instead"),
        (Moody(), "the argument mood of greet is deprecated since version 4 of the hooks: ask the call"),
    ],
)
def test_what_is_deprecated_is_told_once_with_the_plugin_and_what_to_do_instead(plugin: object, said: str) -> None:
    manager = PluginManager(specifications=specifications())
    with pytest.warns(Deprecated) as caught:
        manager.register(plugin, Plugin("old", "old-dist", "1.0"))
    assert [str(warning.message) for warning in caught] == [f"plugin old (old-dist 1.0): {said}"]
    assert len([call for hook in ("greet", "wave") for call in manager.implementations(hook)]) == 1


def test_every_hook_is_of_a_version_that_there_is() -> None:
    hooks = {name for name, value in vars(hookspecs).items() if hasattr(value, "glottis_spec")}
    assert SINCE.keys() <= hooks
    assert (min(SINCE.values()), max(SINCE.values())) <= (OLDEST_API_VERSION, API_VERSION)
