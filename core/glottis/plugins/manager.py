"""Finds plugins by their entry points and takes each in only if pluggy and the hook specifications accept it.

Entry points are loaded one by one: pluggy's own loader is ended by the first broken one, and skips the second of two
that share a name without a word.
"""

import math
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from email.parser import HeaderParser
from functools import partial
from importlib.metadata import Distribution, EntryPoint, entry_points
from time import perf_counter_ns
from types import ModuleType
from typing import Any

import msgspec
import pluggy

from glottis.contracts import hookspecs
from glottis.contracts.deprecation import Deprecated, loading
from glottis.contracts.errors import ConfigurationError, PluginError
from glottis.plugins.failures import blamed
from glottis.plugins.timing import START_LIMIT, Timing
from glottis.plugins.versions import check_arguments, check_hooks, check_import, check_version

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
    timings: dict[str, Timing] = field(default_factory=dict, init=False, repr=False, compare=False)
    """What it was asked for, by what that is called: "encode of opus"."""

    def timing(self, action: str, limit: float = math.inf, patience: int = 1) -> Timing:
        """The timing of an action, which begins now if there is none. See ``Timing`` for its limit."""
        known = self.timings.get(action)
        if known is None:
            known = self.timings[action] = Timing(f"{self}: {action}", limit, patience)
        return known

    def owns(self, module: str) -> bool:
        """Whether a module of this name is its code."""
        return bool(self.package) and f"{module}.".startswith(f"{self.package}.")

    def __str__(self) -> str:
        return f"plugin {self.name} ({f'{self.distribution} {self.version}'.strip() or 'given directly'})"


class BrokenPlugin(msgspec.Struct, frozen=True):
    """A plugin that was left out, and why."""

    plugin: Plugin
    reason: str

    def __str__(self) -> str:
        return f"{self.plugin}: {self.reason}"


class PluginManager:
    """The plugins that were accepted, and their hook implementations with the plugin that each belongs to.

    The names of ``others`` are taken. ``specifications`` are those of the hooks.
    """

    def __init__(self, others: Iterable[Plugin] = (), specifications: ModuleType = hookspecs) -> None:
        self._specifications = specifications
        self._pluggy = self._new_pluggy()
        self._trial: pluggy.PluginManager | None = None
        self._plugins = {plugin.name: plugin for plugin in others}

    def register(self, implementation: object, plugin: Plugin) -> None:
        """Take in a module or object whose functions are marked with ``hookimpl``; raises ``PluginError``.

        A trial manager takes it first, because pluggy leaves a plugin that it refuses half registered: then there is
        another for the next. Deprecated hooks and arguments are warned of.
        """
        if plugin.name in self._plugins:
            raise PluginError(f"{plugin}: {self._plugins[plugin.name]} has the same name")
        if (known := self._pluggy.get_name(implementation)) is not None:
            raise PluginError(f"{plugin}: registered twice, {self._plugins[known]} is the same object")
        try:
            with _telling_whose(plugin):
                self._check(implementation)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", Deprecated)  # they were heard by the trial
                self._pluggy.register(implementation, plugin.name)
        except (PluginError, pluggy.PluginValidationError) as error:
            raise PluginError(f"{plugin}: {error}") from error
        except BaseException as error:
            raise blamed(error, f"{plugin}: registration") from error
        self._plugins[plugin.name] = plugin

    def implementations(self, hook_name: str) -> list[tuple[Plugin, HookImplementation]]:
        """Who implements a hook, first registered first, each to be called on its own (behind ``guarded``).

        All arguments of the hook are given by name, and each implementation gets those that it takes.
        """
        implementations = getattr(self._pluggy.hook, hook_name).get_hookimpls()
        found = {implementation.plugin_name: partial(_call, implementation) for implementation in implementations}
        return [(plugin, found[name]) for name, plugin in self._plugins.items() if name in found]

    def _new_pluggy(self) -> pluggy.PluginManager:
        manager = pluggy.PluginManager("glottis")
        manager.add_hookspecs(self._specifications)
        return manager

    def _check(self, implementation: object) -> None:
        """Raises ``PluginError`` for what cannot be used."""
        check_version(implementation)
        trial, self._trial = self._trial or self._new_pluggy(), None
        check_arguments(implementation, trial)
        trial.register(implementation)
        check_hooks(implementation, trial)
        trial.unregister(implementation)
        self._trial = trial


@contextmanager
def _telling_whose(plugin: Plugin) -> Iterator[None]:
    """What is deprecated is told with the plugin that uses it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", Deprecated)
        yield
    for warning in caught:
        text = f"{plugin}: {warning.message}" if issubclass(warning.category, Deprecated) else warning.message
        warnings.warn_explicit(text, warning.category, warning.filename, warning.lineno)


def _call(implementation: pluggy.HookImpl, **arguments: object) -> Any:
    """As pluggy does: who was written before an argument was added does not name it, and is not given it."""
    return implementation.function(*(arguments[name] for name in implementation.argnames))


def plugin_of(entry_point: EntryPoint) -> Plugin:
    """The identity behind an entry point."""
    package = entry_point.module.partition(".")[0]
    if entry_point.dist is None:
        return Plugin(entry_point.name, package=package)
    head = _head_of(entry_point.dist)
    return Plugin(entry_point.name, head["Name"], head["Version"], package)


def _head_of(distribution: Distribution) -> Message:
    """Its metadata without the description, a page or more that takes most of the time to parse."""
    text = distribution.read_text("METADATA") or distribution.read_text("PKG-INFO") or ""
    return HeaderParser().parsestr(text.partition("\n\n")[0])


class Chosen(msgspec.Struct, frozen=True):
    """The installed plugins: those to load, those that share a name, and those that are disabled."""

    enabled: list[tuple[Plugin, EntryPoint]]
    namesakes: list[BrokenPlugin]
    disabled: list[Plugin]


def choose(entries: Iterable[EntryPoint], disabled: Collection[str] = ()) -> Chosen:
    """``disabled`` names entry points or distributions; raises ``ConfigurationError`` if it names what is not there."""
    in_order = sorted(entries, key=lambda entry_point: entry_point.name)
    installed = [(plugin_of(entry_point), entry_point) for entry_point in in_order]
    _check_names([plugin for plugin, _ in installed], disabled)
    left_out = [plugin for plugin, _ in installed if {plugin.name, plugin.distribution} & set(disabled)]
    by_name: dict[str, list[tuple[Plugin, EntryPoint]]] = {}
    for plugin, entry_point in installed:
        if plugin not in left_out:
            by_name.setdefault(plugin.name, []).append((plugin, entry_point))
    enabled = [same[0] for same in by_name.values() if len(same) == 1]
    namesakes = [broken for same in by_name.values() for broken in _namesakes([plugin for plugin, _ in same])]
    return Chosen(enabled, namesakes, left_out)


def _namesakes(plugins: list[Plugin]) -> Iterator[BrokenPlugin]:
    """Plugins of one name, each with the others: nobody knows which is meant."""
    for index, plugin in enumerate(plugins if len(plugins) > 1 else ()):
        others = " and ".join(str(other) for other in plugins[:index] + plugins[index + 1 :])
        yield BrokenPlugin(plugin, f"{others} shares its name: list the distribution of one as disabled")


def _check_names(plugins: Iterable[Plugin], disabled: Collection[str]) -> None:
    """Broken plugins count: the list of the disabled is where they belong until they are mended."""
    known = _names_of(plugins)
    wrong = [(index, name) for index, name in enumerate(disabled) if name not in known]
    if wrong:
        names = ", ".join(sorted(known)) or "none"
        problem = "no installed plugin or distribution is named"
        lines = [f"plugins.disabled[{index}]: {problem} {name!r}; installed: {names}" for index, name in wrong]
        raise ConfigurationError("\n".join(lines))


def _names_of(plugins: Iterable[Plugin]) -> set[str]:
    return {name for plugin in plugins for name in (plugin.name, plugin.distribution) if name}


def installed_names() -> set[str]:
    """All that ``disabled`` can name: entry points, and distributions."""
    return _names_of(plugin_of(entry_point) for entry_point in entry_points(group=hookspecs.ENTRY_POINT_GROUP))


def load(plugin: Plugin, entry_point: EntryPoint) -> object:
    """Import what an entry point names; raises ``PluginError``, whatever the import raised."""
    timing, began = plugin.timing("import", START_LIMIT), perf_counter_ns()
    whose = loading.set(str(plugin))
    try:
        return entry_point.load()
    except BaseException as error:
        raise check_import(blamed(error, f"{plugin}: import"), error) from error
    finally:
        loading.reset(whose)
        timing.note(perf_counter_ns() - began)
