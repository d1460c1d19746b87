"""Plugins come and go one by one: what is wrong with one leaves the others alone, and is blamed on it."""

from collections.abc import Callable
from importlib.metadata import EntryPoint
from types import ModuleType

import glottis
import pytest
from glottis.contracts.errors import ConfigurationError, PluginError
from glottis.plugins import load_plugins

InstallPlugin = Callable[..., EntryPoint]

TEN_LINES = """
from glottis import AgentSpec, AudioFrame, Call, hookimpl


async def parrot(call: Call) -> None:
    async for frame in call.audio:
        await call.say(AudioFrame(frame.pcm * 2, frame.sample_rate))


@hookimpl
def register_agents():
    return [AgentSpec("parrot", lambda settings: parrot)]
"""


def agent_plugin(name: str) -> str:
    return TEN_LINES.replace('"parrot"', f'"{name}"')


def test_a_package_of_ten_lines_is_an_agent(install_plugin: InstallPlugin) -> None:
    registry = load_plugins(installed=[install_plugin(TEN_LINES, name="parrot", distribution="my-parrot")])
    found = registry.agents.find("parrot")
    assert found.plugin.distribution == "my-parrot"
    assert callable(found.spec.create(None))
    assert registry.registered_by(found.plugin) == ["agent parrot"]


def test_a_test_can_give_a_module_directly() -> None:
    module = ModuleType("parrot_plugin")
    exec(TEN_LINES, module.__dict__)
    assert load_plugins([module], installed=[]).agents.names == ["parrot"]


def test_an_object_with_hook_methods_is_a_plugin_too() -> None:
    class Pages:
        @glottis.hookimpl
        def register_pages(self) -> list[glottis.PagesSpec]:
            return [glottis.PagesSpec("demo", {"/": glottis.Page(b"", "text/html")})]

    assert load_plugins([Pages()], installed=[]).pages.names == ["demo"]


BROKEN = {
    "import": ("import a_package_that_is_not_there", "ModuleNotFoundError"),
    "exit": ("import sys; sys.exit(3)", "SystemExit"),
    "panic": ("class Panic(BaseException): ...\nraise Panic('x')", "import raised Panic: x"),
    "group": ("raise BaseExceptionGroup('x', [SystemExit()])", "import raised BaseExceptionGroup: x"),
    "hook-exits": (
        "from glottis import hookimpl\n@hookimpl\ndef register_agents():\n    raise GeneratorExit('x')",
        "register_agents raised GeneratorExit: x",
    ),
    "list-exits": (
        "from glottis import hookimpl\nclass List(list):\n    def __iter__(self): raise SystemExit('x')\n"
        "@hookimpl\ndef register_agents():\n    return List()",
        "what register_agents returned raised SystemExit: x",
    ),
    "pages-exit": (
        "from glottis import *\nclass Pages(dict):\n    def items(self): raise SystemExit('x')\n"
        "@hookimpl\ndef register_pages():\n    return [PagesSpec('p', Pages())]",
        "what register_pages returned raised SystemExit: x",
    ),
    "look-exits": ("def __dir__():\n    raise SystemExit('x')", "registration raised SystemExit: x"),
    "empty": ("", "registers nothing"),
    "raises": (
        "from glottis import hookimpl\n@hookimpl\ndef register_agents():\n    raise KeyError('x')",
        "register_agents raised KeyError",
    ),
    "async": ("from glottis import hookimpl\n@hookimpl\nasync def register_agents():\n    return []", "is async"),
    "awaitable": (
        "from glottis import hookimpl\nasync def later(): return []\n@hookimpl\ndef register_agents():\n"
        "    return later()",
        "returned an awaitable",
    ),
    "wrapper": (
        "from glottis import hookimpl\n@hookimpl(wrapper=True)\ndef register_agents():\n    return (yield)",
        "wrapper",
    ),
    "no-list": ("from glottis import hookimpl\n@hookimpl\ndef register_agents():\n    return None", "NoneType"),
    "strangers": ("from glottis import hookimpl\n@hookimpl\ndef register_agents():\n    return ['echo']", "a str"),
    "unknown-hook": ("from glottis import hookimpl\n@hookimpl\ndef register_agent():\n    return []", "register_agent"),
    "arguments": (
        "from glottis import hookimpl\n@hookimpl\ndef register_agents(call):\n    return []",
        "register_agents has no argument call, expected none",
    ),
    "argument": (
        "from glottis import hookimpl\n@hookimpl\ndef session_observers(callinfo):\n    return []",
        "session_observers has no argument callinfo, did you mean call_info?",
    ),
    "nameless": (
        "from glottis import *\n@hookimpl\ndef register_agents():\n    return [AgentSpec('', lambda s: s)]",
        "a name",
    ),
    "create": (
        "from glottis import *\n@hookimpl\ndef register_agents():\n    return [AgentSpec('a', None)]",
        "create",
    ),
    "agent": (
        "from glottis import *\nasync def a(call): ...\n"
        "@hookimpl\ndef register_agents():\n    return [AgentSpec('a', a)]",
        "create: expected a function that makes it, got an async one: lambda settings: a",
    ),
    "config-type": (
        "from glottis import *\n@hookimpl\ndef register_agents():\n    return [AgentSpec('a', lambda s: s, dict)]",
        "config_type",
    ),
}


@pytest.mark.parametrize(("source", "reason"), BROKEN.values(), ids=BROKEN)
def test_a_broken_plugin_is_left_out_alone_and_named(source: str, reason: str, install_plugin: InstallPlugin) -> None:
    registry = load_plugins(
        installed=[
            install_plugin(source, name="broken", distribution="glottis-broken", version="0.3"),
            install_plugin(TEN_LINES, name="parrot"),
        ]
    )
    assert registry.agents.names == ["parrot"]
    [broken] = registry.broken
    assert str(broken).startswith("plugin broken (glottis-broken 0.3): ")
    assert reason in broken.reason


def test_half_a_plugin_is_not_taken(install_plugin: InstallPlugin) -> None:
    source = agent_plugin("good") + "\n@hookimpl\ndef register_codecs():\n    raise OSError('no library')\n"
    registry = load_plugins(installed=[install_plugin(source, name="half")])
    assert registry.agents.names == []
    assert "no library" in registry.broken[0].reason


def test_what_is_wrong_with_a_plugin_given_directly_raises() -> None:
    with pytest.raises(PluginError, match=r"given directly.*registers nothing"):
        load_plugins([ModuleType("nothing")], installed=[])


def test_two_distributions_with_one_entry_point_name_are_both_left_out(install_plugin: InstallPlugin) -> None:
    rivals = [
        install_plugin(agent_plugin("one"), name="agent", distribution="dist-a"),
        install_plugin(agent_plugin("two"), name="agent", distribution="dist-b"),
    ]
    registry = load_plugins(installed=[*rivals, install_plugin(TEN_LINES, name="parrot")])
    assert registry.agents.names == ["parrot"]
    assert [str(broken) for broken in registry.broken] == [
        f"plugin agent ({one} 1.0): plugin agent ({other} 1.0) shares its name: "
        "list the distribution of one as disabled"
        for one, other in (("dist-a", "dist-b"), ("dist-b", "dist-a"))
    ]
    assert load_plugins(installed=rivals, disabled=["dist-a"]).agents.names == ["two"]


def test_a_name_that_two_plugins_register_is_neithers(install_plugin: InstallPlugin) -> None:
    rivals = [
        install_plugin(agent_plugin("echo"), name="a", distribution="dist-a"),
        install_plugin(agent_plugin("Echo"), name="b", distribution="dist-b"),
    ]
    registry = load_plugins(installed=[*rivals, install_plugin(TEN_LINES, name="parrot")])
    assert registry.agents.names == ["parrot"]
    contest = "plugin a (dist-a 1.0) and plugin b (dist-b 1.0) both register the agent Echo: disable one"
    assert registry.contests == [contest]
    with pytest.raises(ConfigurationError) as caught:
        registry.agents.find("ECHO")
    assert str(caught.value) == contest
    assert load_plugins(installed=rivals, disabled=["a"]).agents.names == ["Echo"]


def test_a_name_that_many_register_or_one_twice_is_nobodys_either(install_plugin: InstallPlugin) -> None:
    twice = agent_plugin("one").replace("return [", "return 2 * [")
    many = [install_plugin(agent_plugin("echo"), name=name) for name in "abc"]
    registry = load_plugins(installed=[*many, install_plugin(twice, name="d")])
    assert registry.agents.names == []
    assert registry.contests == [
        "plugin a (dist-a 1.0) and plugin b (dist-b 1.0) and plugin c (dist-c 1.0) all register the agent echo: "
        "disable one",
        "plugin d (dist-d 1.0) registers the agent one twice",
    ]


COMPONENT = """
from glottis import ComponentSpec, hookimpl


@hookimpl
def register_components():
    return [ComponentSpec(KIND, "Loud", lambda settings: 1)]
"""


def test_components_of_one_kind_and_name_are_rivals_those_of_two_kinds_are_not(install_plugin: InstallPlugin) -> None:
    first, second, other = (
        install_plugin(COMPONENT.replace("KIND", kind), name=name)
        for kind, name in (("int", "a"), ("int", "b"), ("float", "c"))
    )
    registry = load_plugins(installed=[first, other])
    assert [registry.registered_by(plugin) for plugin in registry.plugins] == [
        ["component Loud (int)"],
        ["component Loud (float)"],
    ]
    assert registry.components_of(float).find("loud").plugin.name == "c"
    with pytest.raises(ConfigurationError, match=r"dist-a 1.0.*dist-b 1.0.*register the int Loud: disable one"):
        load_plugins(installed=[first, second]).components_of(int).find("Loud")


def test_a_component_is_missed_with_its_kind_and_the_plugins_left_out(install_plugin: InstallPlugin) -> None:
    registry = load_plugins(
        installed=[
            install_plugin(COMPONENT.replace("KIND", "int"), name="a"),
            install_plugin(COMPONENT.replace("KIND", "'int'"), name="b"),
        ]
    )
    with pytest.raises(
        ConfigurationError, match=r"no int is named 'x'; available: Loud; left out: plugin b .*kind: ex"
    ):
        registry.components_of(int).find("x")
    with pytest.raises(ConfigurationError, match=r"no float is named 'x'; available: none; left out: plugin b"):
        registry.components_of(float).find("x")


def test_a_disabled_plugin_is_not_even_imported(install_plugin: InstallPlugin) -> None:
    registry = load_plugins(installed=[install_plugin("raise SystemError", name="bad")], disabled=["bad"])
    assert registry.plugins == ()
    assert registry.broken == ()
    assert [plugin.name for plugin in registry.disabled] == ["bad"]


def test_a_name_that_is_not_there_is_told_with_those_that_are(install_plugin: InstallPlugin) -> None:
    registry = load_plugins(
        installed=[install_plugin(TEN_LINES, name="parrot"), install_plugin("import nowhere_at_all", name="bad")]
    )
    with pytest.raises(ConfigurationError, match=r"no agent is named 'ecko'; available: parrot; left out: plugin bad"):
        registry.agents.find("ecko")


def test_names_are_found_in_any_case(install_plugin: InstallPlugin) -> None:
    registry = load_plugins(installed=[install_plugin(TEN_LINES, name="parrot")])
    assert registry.agents.find("PARROT").spec.name == "parrot"
    assert "Parrot" in registry.agents


def test_a_disabled_name_that_nothing_has_is_told_with_those_that_are_there(install_plugin: InstallPlugin) -> None:
    installed = [install_plugin("raise SystemError", name="bad", distribution="dist-bad")]
    with pytest.raises(ConfigurationError) as caught:
        load_plugins(installed=installed, disabled=["bda", "bad", "dist-bad"])
    assert str(caught.value) == (
        "plugins.disabled[0]: no installed plugin or distribution is named 'bda'; installed: bad, dist-bad"
    )
