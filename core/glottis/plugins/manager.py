"""Finds plugins by their entry points and takes each in only if pluggy and the hook specifications accept it.

Entry points are loaded one by one: pluggy's own loader is ended by the first broken one, and skips the second of two
that share a name without a word.
"""

import inspect
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from typing import Any

import pluggy

from glottis.contracts import hookspecs
from glottis.contracts.errors import ConfigurationError, PluginError
from glottis.plugins.failures import blamed

HookImplementation = Callable[..., Any]
"""Takes the arguments of its specification by their names."""


@dataclass(frozen=True, slots=True)
class Plugin:
    """Whose code this is. ``name`` is the entry point's; a plugin given directly has no distribution."""

    name: str
    distribution: str = ""
    version: str = ""
    package: str = ""
    """The module or package that its code is in."""

    def owns(self, module: str) -> bool:
        """Whether a module of this name is its code."""
        return bool(self.package) and f"{module}.".startswith(f"{self.package}.")

    def __str__(self) -> str:
        return f"plugin {self.name} ({f'{self.distribution} {self.version}'.strip() or 'given directly'})"


@dataclass(frozen=True, slots=True)
class BrokenPlugin:
    """A plugin that was left out, and why."""

    plugin: Plugin
    reason: str

    def __str__(self) -> str:
        return f"{self.plugin}: {self.reason}"


class PluginManager:
    """The plugins that were accepted, and their hook implementations with the plugin that each belongs to.

    The names of ``others`` are taken.
    """

    def __init__(self, others: Iterable[Plugin] = ()) -> None:
        self._pluggy = _new_pluggy()
        self._plugins = {plugin.name: plugin for plugin in others}

    def register(self, implementation: object, plugin: Plugin) -> None:
        """Take in a module or object whose functions are marked with ``hookimpl``; raises ``PluginError``.

        A trial manager takes it first, because pluggy leaves a plugin that it refuses half registered.
        """
        if plugin.name in self._plugins:
            raise PluginError(f"{plugin}: {self._plugins[plugin.name]} has the same name")
        try:
            _check(implementation)
            self._pluggy.register(implementation, plugin.name)
        except (PluginError, pluggy.PluginValidationError) as error:
            raise PluginError(f"{plugin}: {error}") from error
        except BaseException as error:
            raise blamed(error, f"{plugin}: registration") from error
        self._plugins[plugin.name] = plugin

    def implementations(self, hook_name: str) -> list[tuple[Plugin, HookImplementation]]:
        """Who implements a hook, first registered first, each to be called on its own (behind ``host.guarded``)."""
        implementations = getattr(self._pluggy.hook, hook_name).get_hookimpls()
        found = {implementation.plugin_name: _by_name(implementation) for implementation in implementations}
        return [(plugin, found[name]) for name, plugin in self._plugins.items() if name in found]


def plugin_of(entry_point: EntryPoint) -> Plugin:
    """The identity behind an entry point."""
    package = entry_point.module.partition(".")[0]
    if entry_point.dist is None:
        return Plugin(entry_point.name, package=package)
    metadata = entry_point.dist.metadata  # read and parsed whenever it is asked for
    return Plugin(entry_point.name, metadata["Name"], metadata["Version"], package)


def enabled_entry_points(
    entry_points: Iterable[EntryPoint], disabled: Collection[str] = ()
) -> list[tuple[Plugin, EntryPoint]]:
    """Those that ``disabled`` names neither by entry point nor by distribution.

    Raises ``PluginError`` if two of them share a name, and ``ConfigurationError`` if ``disabled`` names nothing.
    """
    in_order = sorted(entry_points, key=lambda entry_point: entry_point.name)
    installed = [(plugin_of(entry_point), entry_point) for entry_point in in_order]
    _check_names([plugin for plugin, _ in installed], disabled)
    enabled: dict[str, tuple[Plugin, EntryPoint]] = {}
    for plugin, entry_point in installed:
        if {plugin.name, plugin.distribution} & set(disabled):
            continue
        if (other := enabled.get(plugin.name)) is not None:
            raise PluginError(f"{other[0]} and {plugin} share a name: list the distribution of one as disabled")
        enabled[plugin.name] = plugin, entry_point
    return list(enabled.values())


def _check_names(plugins: Iterable[Plugin], disabled: Collection[str]) -> None:
    """Broken plugins count: the list of the disabled is where they belong until they are mended."""
    known = {name for plugin in plugins for name in (plugin.name, plugin.distribution) if name}
    wrong = [(index, name) for index, name in enumerate(disabled) if name not in known]
    if wrong:
        names = ", ".join(sorted(known)) or "none"
        problem = "no installed plugin or distribution is named"
        lines = [f"plugins.disabled[{index}]: {problem} {name!r}; installed: {names}" for index, name in wrong]
        raise ConfigurationError("\n".join(lines))


def load(entry_point: EntryPoint) -> object:
    """Import what an entry point names; raises ``PluginError``, whatever the import raised."""
    try:
        return entry_point.load()
    except BaseException as error:
        raise blamed(error, f"{plugin_of(entry_point)}: import") from error


def _by_name(implementation: pluggy.HookImpl) -> HookImplementation:
    """An implementation may take fewer arguments than there are."""
    function, names = implementation.function, implementation.argnames

    def call(**arguments: object) -> Any:
        return function(*(arguments[name] for name in names))

    return call


def _new_pluggy() -> pluggy.PluginManager:
    manager = pluggy.PluginManager("glottis")
    manager.add_hookspecs(hookspecs)
    return manager


def _check(implementation: object) -> None:
    """Refuse what pluggy would take and then misuse: wrappers, coroutines, and an object without any hook."""
    trial = _new_pluggy()
    trial.register(implementation)
    trial.check_pending()
    callers = trial.get_hookcallers(implementation) or []
    if not callers:
        raise PluginError("registers nothing: none of its functions is marked with glottis.hookimpl")
    for caller in callers:
        for hook in caller.get_hookimpls():
            if hook.wrapper or hook.hookwrapper:
                raise PluginError(f"{caller.name} is a hook wrapper; glottis calls implementations one by one")
            if inspect.iscoroutinefunction(hook.function) or inspect.isasyncgenfunction(hook.function):
                raise PluginError(f"{caller.name} is async; hooks are synchronous and return objects that do the work")
