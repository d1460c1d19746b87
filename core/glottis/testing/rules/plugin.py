"""The rules of plugins as a whole: what they register, and by which names."""

from dataclasses import dataclass
from typing import Final

from glottis.plugins import Plugin, Registry
from glottis.testing.rules.rule import expect, rules_of


@dataclass(frozen=True, slots=True)
class PluginSubject:
    """A plugin that could be loaded, among all that are there."""

    plugin: Plugin
    registry: Registry


def check_registers(subject: PluginSubject) -> None:
    """Hooks that return nothing make a package that nobody can use."""
    offers = [plugin for plugin, _ in subject.registry.claims() if plugin == subject.plugin]
    expect(bool(offers), "registers nothing: its hooks return empty lists")


def check_names(subject: PluginSubject) -> None:
    """What two claim is found by nobody."""
    contests = [sentence for plugin, sentence in subject.registry.claims() if sentence and plugin == subject.plugin]
    expect(not contests, "; ".join(dict.fromkeys(contests)))


PLUGIN_RULES: Final = rules_of(
    "plugin",
    ("registers", "something is registered", check_registers),
    ("names", "no other plugin has the names that it registers", check_names),
)
