"""What all plugins offer, by name, each with the plugin that answers for it."""

from collections.abc import Collection, Iterable, Iterator
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar, cast

import msgspec

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
from glottis.plugins.manager import BrokenPlugin, Chosen, Plugin, PluginManager, choose, load
from glottis.plugins.specifications import Spec, name_of

SpecT = TypeVar("SpecT", bound=Spec)


class Registered(msgspec.Struct, Generic[SpecT], frozen=True):
    """A specification and whose it is."""

    spec: SpecT
    plugin: Plugin


class Catalogue(Generic[SpecT]):
    """All specifications of one kind. Names are compared without regard to case, as codec names are in SDP."""

    def __init__(self, kind: str, broken: Collection[BrokenPlugin] = ()) -> None:
        self.kind = kind
        self._broken = broken
        self._entries: dict[str, Registered[SpecT]] = {}
        self._contested: dict[str, list[Registered[SpecT]]] = {}

    def add(self, spec: SpecT, plugin: Plugin) -> None:
        """Enter a specification. A name that two plugins claim is neither's: nobody knows which is meant."""
        key, entry = name_of(spec).lower(), Registered(spec, plugin)
        if key in self._contested:
            self._contested[key].append(entry)
        elif key in self._entries:
            self._contested[key] = [self._entries.pop(key), entry]
        else:
            self._entries[key] = entry

    def find(self, name: str) -> Registered[SpecT]:
        """Look up by name.

        Raises ``ConfigurationError`` that lists the names there are and the plugins left out, or those that claim it.
        """
        if claims := self._contested.get(name.lower()):
            raise ConfigurationError(self._contest(claims))
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

    @property
    def contests(self) -> list[str]:
        """A sentence for each name that two plugins or more claim."""
        return [self._contest(claims) for claims in self._contested.values()]

    def contest_of(self, entry: Registered[SpecT]) -> str:
        """The sentence about its name, if others claim it, too; else empty."""
        claims = self._contested.get(name_of(entry.spec).lower())
        return self._contest(claims) if claims else ""

    def _contest(self, claims: list[Registered[SpecT]]) -> str:
        what = f"the {self.kind} {name_of(claims[-1].spec)}"
        owners = list(dict.fromkeys(str(claim.plugin) for claim in claims))
        if len(owners) == 1:
            return f"{owners[0]} registers {what} twice"
        return f"{' and '.join(owners)} {'both' if len(owners) == 2 else 'all'} register {what}: disable one"

    def __contains__(self, name: str) -> bool:
        """Whether anybody claims it, so that ``find`` has an answer or a reason of its own."""
        return name.lower() in self._entries or name.lower() in self._contested

    def __iter__(self) -> Iterator[Registered[SpecT]]:
        return iter(self._entries.values())

    def claims(self) -> Iterator[Registered[SpecT]]:
        """All that was entered, whether it is found or not."""
        yield from self
        for claims in self._contested.values():
            yield from claims


class Registry:
    """The plugins that were loaded, those that were left out, and what the loaded ones offer."""

    def __init__(
        self,
        plugins: Collection[Plugin] = (),
        broken: Collection[BrokenPlugin] = (),
        disabled: Collection[Plugin] = (),
    ) -> None:
        self.plugins = tuple(plugins)
        self.broken = tuple(broken)
        self.disabled = tuple(disabled)
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
        """Enter a specification under its kind."""
        if isinstance(spec, ComponentSpec):
            kind = cast(type, spec.kind)
            self.components[kind] = self.components_of(kind)
            self.components[kind].add(spec, plugin)
        else:
            spec_type = next(spec_type for spec_type in self._catalogues if isinstance(spec, spec_type))
            self._catalogues[spec_type].add(spec, plugin)

    def extended(self, offers: Iterable[tuple[Plugin, Iterable[Spec]]]) -> "Registry":
        """The same with further plugins, and what each offers."""
        offers = tuple(offers)
        registry = Registry([*self.plugins, *(plugin for plugin, _ in offers)], self.broken, self.disabled)
        for catalogue in self._all():
            for entry in catalogue.claims():
                registry.add(entry.spec, entry.plugin)
        for plugin, specs in offers:
            for spec in specs:
                registry.add(spec, plugin)
        return registry

    def components_of(self, kind: type) -> Catalogue[ComponentSpec[Any]]:
        """The components of one kind, perhaps none."""
        return self.components.get(kind, Catalogue(kind.__name__, self.broken))

    @property
    def contests(self) -> list[str]:
        """A sentence for each name that is claimed twice."""
        return [contest for catalogue in self._all() for contest in catalogue.contests]

    def claims(self) -> Iterator[tuple[Plugin, str]]:
        """Whose each thing is that was registered, and a sentence if its name is claimed by others, too; else empty."""
        for catalogue in self._all():
            for entry in catalogue.claims():
                yield entry.plugin, catalogue.contest_of(entry)

    def registered_by(self, plugin: Plugin) -> list[str]:
        """What a plugin offers, for people: ``agent echo``."""
        return [described for _, _, described in self.offers_of(plugin)]

    def offers_of(self, plugin: Plugin) -> list[tuple[Catalogue[Any], Registered[Any], str]]:
        """The same with the catalogue that each offer is in, and its entry there."""
        return [
            (catalogue, entry, _described(entry.spec, catalogue.kind))
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
    installed plugin that is broken is left out and listed in ``Registry.broken``. A name that two claim is found by
    nobody. Raises ``ConfigurationError`` when no plugin has a ``disabled`` name.
    """
    entries = entry_points(group=ENTRY_POINT_GROUP) if installed is None else installed
    return load_beside(_load_installed(choose(entries, disabled)), extra)


def load_beside(registry: Registry, extra: Iterable[object]) -> Registry:
    """What is in ``registry``, and the ``extra`` plugins of ``load_plugins``."""
    manager = PluginManager(registry.plugins)
    offers: list[tuple[Plugin, list[Spec]]] = []
    for implementation in extra:
        plugin = _identity(implementation)
        manager.register(implementation, plugin)
        offers.append((plugin, registrations(manager, plugin)))
    return registry.extended(offers)


def _load_installed(chosen: Chosen) -> Registry:
    manager = PluginManager()
    offers: list[tuple[Plugin, list[Spec]]] = []
    broken = list(chosen.namesakes)
    for plugin, entry_point in chosen.enabled:
        try:
            manager.register(load(plugin, entry_point), plugin)
            offers.append((plugin, registrations(manager, plugin)))
        except (PluginError, ConfigurationError) as error:
            broken.append(BrokenPlugin(plugin, str(error).removeprefix(f"{plugin}: ")))
    return Registry(broken=broken, disabled=chosen.disabled).extended(offers)


def _identity(implementation: object) -> Plugin:
    """Of a plugin that is given directly."""
    own = getattr(implementation, "plugin", None)
    if isinstance(own, Plugin):
        return own
    kind = type(implementation)
    name = getattr(implementation, "__name__", kind.__name__)
    return Plugin(str(name), package=str(getattr(implementation, "__name__", kind.__module__)))
