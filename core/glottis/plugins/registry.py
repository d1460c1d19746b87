"""What all plugins offer, by name, each with the plugin that answers for it."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar, cast

from glottis.contracts.auth import AuthSchemeSpec
from glottis.contracts.call import AgentSpec
from glottis.contracts.codec import CodecSpec
from glottis.contracts.components import ComponentSpec
from glottis.contracts.errors import ConfigurationError, PluginError
from glottis.contracts.hookspecs import ENTRY_POINT_GROUP
from glottis.contracts.ice_servers import IceServerProviderSpec
from glottis.contracts.pages import PagesSpec
from glottis.contracts.routes import RoutesSpec
from glottis.plugins.extensions import ExtensionSpec
from glottis.plugins.host import registrations
from glottis.plugins.manager import BrokenPlugin, Plugin, PluginManager, enabled_entry_points, load
from glottis.plugins.specifications import Spec, name_of

SpecT = TypeVar("SpecT", bound=Spec)


@dataclass(frozen=True, slots=True)
class Registered(Generic[SpecT]):
    """A specification and whose it is."""

    spec: SpecT
    plugin: Plugin


class Catalogue(Generic[SpecT]):
    """All specifications of one kind. Names are compared without regard to case, as codec names are in SDP."""

    def __init__(self, kind: str, broken: Collection[BrokenPlugin] = ()) -> None:
        self.kind = kind
        self._broken = broken
        self._entries: dict[str, Registered[SpecT]] = {}

    def add(self, spec: SpecT, plugin: Plugin) -> None:
        """Enter a specification; raises ``PluginError`` if the name is taken."""
        other = self._entries.get(name_of(spec).lower())
        if other is not None:
            raise PluginError(f"{other.plugin} and {plugin} both register the {self.kind} {name_of(spec)}: disable one")
        self._entries[name_of(spec).lower()] = Registered(spec, plugin)

    def find(self, name: str) -> Registered[SpecT]:
        """Look up by name; raises ``ConfigurationError`` that lists the names there are and the plugins left out."""
        try:
            return self._entries[name.lower()]
        except KeyError:
            message = f"no {self.kind} is named {name!r}; available: {', '.join(self.names) or 'none'}"
            left_out = "".join(f"; left out: {broken}" for broken in self._broken)
            raise ConfigurationError(message + left_out) from None

    @property
    def names(self) -> list[str]:
        """As registered, in alphabetical order."""
        return sorted((name_of(entry.spec) for entry in self), key=str.lower)

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._entries

    def __iter__(self) -> Iterator[Registered[SpecT]]:
        return iter(self._entries.values())


class Registry:
    """The plugins that were loaded, those that were left out, and what the loaded ones offer."""

    def __init__(self, plugins: Collection[Plugin] = (), broken: Collection[BrokenPlugin] = ()) -> None:
        self.plugins = tuple(plugins)
        self.broken = tuple(broken)
        self.agents: Catalogue[AgentSpec] = Catalogue("agent", self.broken)
        self.codecs: Catalogue[CodecSpec] = Catalogue("codec", self.broken)
        self.auth_schemes: Catalogue[AuthSchemeSpec] = Catalogue("auth scheme", self.broken)
        self.ice_server_providers: Catalogue[IceServerProviderSpec] = Catalogue("ICE server provider", self.broken)
        self.pages: Catalogue[PagesSpec] = Catalogue("set of pages", self.broken)
        self.routes: Catalogue[RoutesSpec] = Catalogue("set of routes", self.broken)
        self.extensions: Catalogue[ExtensionSpec] = Catalogue("extension", self.broken)
        self.components: dict[type, Catalogue[ComponentSpec[Any]]] = {}
        """By their kinds."""
        self._catalogues: dict[type[Spec], Catalogue[Any]] = {
            AgentSpec: self.agents,
            CodecSpec: self.codecs,
            AuthSchemeSpec: self.auth_schemes,
            IceServerProviderSpec: self.ice_server_providers,
            PagesSpec: self.pages,
            RoutesSpec: self.routes,
            ExtensionSpec: self.extensions,
        }

    def add(self, spec: Spec, plugin: Plugin) -> None:
        """Enter a specification under its kind; raises ``PluginError`` if the name is taken."""
        if isinstance(spec, ComponentSpec):
            kind = cast(type, spec.kind)
            self.components[kind] = self.components_of(kind)
            self.components[kind].add(spec, plugin)
        else:
            spec_type = next(spec_type for spec_type in self._catalogues if isinstance(spec, spec_type))
            self._catalogues[spec_type].add(spec, plugin)

    def extended(self, offers: Iterable[tuple[Plugin, Iterable[Spec]]]) -> "Registry":
        """The same with further plugins, and what each offers; raises ``PluginError`` if a name is taken."""
        offers = tuple(offers)
        registry = Registry([*self.plugins, *(plugin for plugin, _ in offers)], self.broken)
        for catalogue in self._all():
            for entry in catalogue:
                registry.add(entry.spec, entry.plugin)
        for plugin, specs in offers:
            for spec in specs:
                registry.add(spec, plugin)
        return registry

    def components_of(self, kind: type) -> Catalogue[ComponentSpec[Any]]:
        """The components of one kind, perhaps none."""
        return self.components.get(kind, Catalogue(kind.__name__, self.broken))

    def registered_by(self, plugin: Plugin) -> list[str]:
        """What a plugin offers, for people: ``agent echo``."""
        return [
            _described(entry.spec, catalogue.kind)
            for catalogue in self._all()
            for entry in catalogue
            if entry.plugin == plugin
        ]

    def _all(self) -> tuple[Catalogue[Any], ...]:
        return *self._catalogues.values(), *self.components.values()


def _described(spec: Spec, kind: str) -> str:
    return f"component {spec.name} ({kind})" if isinstance(spec, ComponentSpec) else f"{kind} {name_of(spec)}"


def load_plugins(
    extra: Iterable[object] = (),
    disabled: Collection[str] = (),
    installed: Iterable[EntryPoint] | None = None,
) -> Registry:
    """Load the installed plugins but the ``disabled`` (entry point or distribution names), and the ``extra`` ones.

    ``extra`` holds modules or objects with hook implementations; what is wrong with one of these raises. One that has
    an attribute ``plugin`` says by it which it is. ``installed`` stands in for the environment's entry points. An
    installed plugin that is broken is left out and listed in ``Registry.broken``. Raises ``PluginError`` when two
    plugins claim one name, and ``ConfigurationError`` when none has a ``disabled`` one.
    """
    entries = entry_points(group=ENTRY_POINT_GROUP) if installed is None else installed
    return load_beside(_load_installed(enabled_entry_points(entries, disabled)), extra)


def load_beside(registry: Registry, extra: Iterable[object]) -> Registry:
    """What is in ``registry``, and the ``extra`` plugins of ``load_plugins``."""
    manager = PluginManager(registry.plugins)
    offers: list[tuple[Plugin, list[Spec]]] = []
    for implementation in extra:
        plugin = _identity(implementation)
        manager.register(implementation, plugin)
        offers.append((plugin, registrations(manager, plugin)))
    return registry.extended(offers)


def _load_installed(entries: Iterable[tuple[Plugin, EntryPoint]]) -> Registry:
    manager = PluginManager()
    broken: list[BrokenPlugin] = []
    offers: list[tuple[Plugin, list[Spec]]] = []
    for plugin, entry_point in entries:
        try:
            manager.register(load(entry_point), plugin)
            offers.append((plugin, registrations(manager, plugin)))
        except (PluginError, ConfigurationError) as error:
            broken.append(BrokenPlugin(plugin, str(error).removeprefix(f"{plugin}: ")))
    return Registry(broken=broken).extended(offers)


def _identity(implementation: object) -> Plugin:
    """Of a plugin that is given directly."""
    own = getattr(implementation, "plugin", None)
    if isinstance(own, Plugin):
        return own
    kind = type(implementation)
    name = getattr(implementation, "__name__", kind.__name__)
    return Plugin(str(name), package=str(getattr(implementation, "__name__", kind.__module__)))
