"""Plugins as a whole, made of a good one: each registers an agent."""

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from glottis import AgentSpec, hookimpl
from glottis.plugins import load_plugins
from glottis.testing.rules.plugin import PluginSubject

from support.bad.agents import good as agent
from support.bad.agents import spec_of


def plugin(name: str, *agents: AgentSpec) -> Any:
    @hookimpl
    def register_agents() -> Sequence[AgentSpec]:
        return agents

    return SimpleNamespace(__name__=name, register_agents=register_agents)


def first_of(*plugins: Any) -> PluginSubject:
    registry = load_plugins(extra=plugins, installed=())
    return PluginSubject(registry.plugins[0], registry)


SAMPLE = spec_of(agent)
GOOD = first_of(plugin("good", SAMPLE), plugin("other"))
BAD: Mapping[str, list[PluginSubject]] = {
    "registers": [first_of(plugin("empty"), plugin("other", SAMPLE))],
    "names": [
        first_of(plugin("first", SAMPLE), plugin("second", SAMPLE)),
        first_of(plugin("twice", SAMPLE, SAMPLE)),
    ],
}
