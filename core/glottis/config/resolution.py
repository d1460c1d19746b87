"""Fits the configuration to the plugins: every name it uses must exist, and every setting must suit its plugin."""

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar

import msgspec

from glottis.config.components import typed_settings
from glottis.config.conversion import PluginSettings, join
from glottis.config.resolved import (
    Campaign,
    CampaignAgent,
    Elsewhere,
    NamedAuthScheme,
    NamedProvider,
    NamedRoutes,
    ResolvedConfig,
)
from glottis.config.settings import (
    DEFAULT_CODECS,
    DEFAULT_PAGES,
    DEFAULT_PROVIDERS,
    DEFAULT_RESAMPLER,
    AgentSection,
    CampaignSection,
    Config,
)
from glottis.contracts.call import Agent, AgentSpec, CampaignInfo
from glottis.contracts.codec import CodecSpec
from glottis.contracts.errors import ConfigurationError, PluginError
from glottis.contracts.pages import Page
from glottis.contracts.resampling import Resampling
from glottis.plugins import Catalogue, Plugin, Registered, Registry, create
from glottis.plugins.extensions import Extension
from glottis.plugins.resampling import GuardedResampling
from glottis.plugins.routes import folder_of, wording_of
from glottis.plugins.specifications import Spec, name_of

LOOPBACK_SCHEME: Final = "anonymous"
"""The auth scheme when none is configured."""

SpecT = TypeVar("SpecT", bound=Spec)
_MakeAgent = Callable[
    [Registered[AgentSpec], PluginSettings, str, str, CampaignInfo], tuple[Agent, msgspec.Struct | None] | None
]
"""From the settings below a path, by the agent's name in its campaign."""


def resolve(config: Config, registry: Registry) -> ResolvedConfig:
    """Find, check and make all that the configuration names.

    Raises ``ConfigurationError`` with one line for each name or setting that does not fit, and for each plugin that
    fails to make its part; ``PluginError`` if there is nothing but such.
    """
    resolution = _Resolution(config, registry)
    auth = resolution.auth()
    codecs = resolution.codecs()
    providers = resolution.providers()
    page_sets, pages = resolution.pages()
    route_sets = resolution.routes()
    extensions = resolution.extensions()
    campaigns = resolution.campaigns(codecs, extensions)
    resampling = resolution.resampling()
    if auth is None or resolution.problems or resolution.failures:
        lines = "\n".join([*resolution.problems, *resolution.failures])
        raise ConfigurationError(lines) if resolution.problems else PluginError(lines)
    return ResolvedConfig(
        config,
        auth,
        campaigns,
        codecs,
        providers,
        page_sets,
        pages,
        route_sets,
        resampling,
        tuple(extensions.values()),
        registry.plugins,
    )


class _Resolution:
    """Notes problems instead of raising, so that all of them are reported at once."""

    def __init__(self, config: Config, registry: Registry) -> None:
        self._config = config
        self._registry = registry
        self.problems: list[str] = []
        self.failures: list[str] = []
        """Of plugins."""

    def auth(self) -> NamedAuthScheme | None:
        server, auth = self._config.server, self._config.auth
        found = self._find(self._registry.auth_schemes, auth.scheme or LOOPBACK_SCHEME, "auth.scheme")
        if found is None:
            return None
        beyond = "" if server.is_loopback else f"server.host is {server.host!r}"
        beyond = beyond or ("there are server.trusted_proxies" if server.trusted_proxies else "")
        if found.spec.loopback_only and beyond:
            scheme = f"{found.spec.name!r} serves loopback only, and {beyond}"
            others = [entry.spec.name for entry in self._registry.auth_schemes if not entry.spec.loopback_only]
            self.problems.append(f"auth.scheme: {scheme}; choose another: {', '.join(others) or 'none is installed'}")
            return None
        made = self._make(found, auth.settings, "auth.settings")
        return made and NamedAuthScheme(found.spec.name, made[0], found.plugin, made[1])

    def codecs(self) -> tuple[Registered[CodecSpec], ...]:
        names = self._config.media.codecs
        chosen = self._choose(self._registry.codecs, names, DEFAULT_CODECS, "media.codecs")
        if not chosen and not names:
            available = ", ".join(self._registry.codecs.names) or "none"
            self.problems.append(f"media.codecs: expected at least one codec; available: {available}")
        return tuple(chosen)

    def providers(self) -> tuple[NamedProvider, ...]:
        section, catalogue = self._config.ice_servers, self._registry.ice_server_providers
        chosen = self._choose(catalogue, section.providers, DEFAULT_PROVIDERS, "ice_servers.providers")
        made = self._make_each(chosen, catalogue, section.settings, "ice_servers.settings")
        return tuple(NamedProvider(name, *parts) for name, parts in made.items())

    def routes(self) -> tuple[NamedRoutes, ...]:
        section, catalogue = self._config.routes, self._registry.routes
        chosen = self._choose(catalogue, section.enabled, (), "routes.enabled")
        made = self._make_each(chosen, catalogue, section.settings, "routes.settings")
        sets = []
        for name, parts in made.items():
            found = catalogue.find(name)
            sets.append(NamedRoutes(name, folder_of(found.spec), *parts, wording_of(found.plugin, found.spec)))
        for one, other in itertools.combinations(sets, 2):
            if one.paths & other.paths:
                self.problems.append(
                    f"routes.enabled: {one.name} and {other.name} have a path in common; take one of them"
                )
        return tuple(sets)

    def _make_each(
        self,
        chosen: Sequence[Registered[SpecT]],
        catalogue: Catalogue[SpecT],
        settings: Mapping[str, PluginSettings],
        path: str,
    ) -> dict[str, tuple[Any, Plugin, msgspec.Struct | None]]:
        """What was chosen, with the settings of its name below ``path``."""
        by_name = {name.lower(): values for name, values in settings.items()}
        parts = {}
        for found in chosen:
            name = name_of(found.spec)
            made = self._make(found, by_name.get(name.lower(), PluginSettings()), f"{path}.{name}")
            if made is not None:
                parts[name] = made[0], found.plugin, made[1]
        self._check_unused(catalogue, settings, {name_of(found.spec) for found in chosen}, path)
        return parts

    def _check_unused(
        self, catalogue: Catalogue[SpecT], settings: Mapping[str, PluginSettings], used: Iterable[str], path: str
    ) -> None:
        """Settings of what nothing enables: it is not made, but will be one day."""
        known = {name.lower() for name in used}
        for name, values in settings.items():
            if name.lower() not in known and (found := self._find(catalogue, name, f"{path}.{name}")) is not None:
                self._typed(found, values, f"{path}.{name}")

    def resampling(self) -> Resampling | None:
        catalogue = self._registry.components_of(Resampling)
        name = self._config.media.resampler
        chosen = self._choose(catalogue, None if name is None else [name], [DEFAULT_RESAMPLER], "media.resampler")
        made = self._make(chosen[0], PluginSettings(), "media.resampler") if chosen else None
        return made and GuardedResampling(made[0], chosen[0].plugin)

    def pages(self) -> tuple[tuple[str, ...], dict[str, Page]]:
        chosen = self._choose(self._registry.pages, self._config.pages.enabled, DEFAULT_PAGES, "pages.enabled")
        pages: dict[str, Page] = {}
        for found in chosen:
            for twice in pages.keys() & found.spec.pages.keys():
                self.problems.append(f"pages.enabled: {found.spec.name} serves {twice}, and so does one before it")
            pages.update(found.spec.pages)
        return tuple(found.spec.name for found in chosen), pages

    def extensions(self) -> dict[str, Extension]:
        """All that are enabled for any campaign, by their names in lower case."""
        section, catalogue = self._config.extensions, self._registry.extensions
        lists = {"extensions.enabled": section.enabled} | {
            f"campaigns.{campaign_id}.extensions": campaign.extensions
            for campaign_id, campaign in self._config.campaigns.items()
            if campaign.extensions is not None
        }
        settings = {name.lower(): values for name, values in section.settings.items()}
        extensions: dict[str, Extension] = {}
        for path, names in lists.items():
            for found in self._choose(catalogue, names, (), path):
                name = found.spec.name
                if name.lower() not in extensions:
                    extensions[name.lower()] = Extension(
                        name,
                        found.plugin,
                        found.spec.hooks,
                        self._typed(found, settings.get(name.lower(), PluginSettings()), f"extensions.settings.{name}"),
                    )
        self._check_unused(catalogue, section.settings, extensions, "extensions.settings")
        return extensions

    def campaigns(
        self, codecs: Sequence[Registered[CodecSpec]], extensions: Mapping[str, Extension]
    ) -> dict[str, Campaign]:
        campaigns = {}
        for campaign_id, section in self._config.campaigns.items():
            path = f"campaigns.{campaign_id}"
            found = self._find(self._registry.agents, section.agent, f"{path}.agent")
            if found is None:
                continue
            rate = section.sample_rate or found.spec.sample_rate
            self._check_rate(rate, codecs, f"{path}.sample_rate")
            frame_ms = section.frame_ms or found.spec.frame_ms
            info = CampaignInfo(campaign_id, rate, (section.agent, *section.agents), frame_ms)
            make = self._leave_to_workers if section.isolation == "process" else self._make_agent
            first = self._agent(section, section.agent, path, info, make)
            others = {
                name: self._agent(one, name, f"{path}.agents.{name}", info, make)
                for name, one in section.agents.items()
            }
            if section.agent in section.agents:
                self.problems.append(
                    f"{path}.agents.{section.agent}: the agent who answers has this name; choose another"
                )
            names = self._config.extensions.enabled if section.extensions is None else section.extensions
            chosen = tuple(extensions[name.lower()] for name in names if name.lower() in extensions)
            if first is not None:
                known = {name: one for name, one in others.items() if one is not None}
                workers = section.workers if section.isolation == "process" else None
                everyone = {section.agent: first} | known
                campaigns[campaign_id] = Campaign(
                    campaign_id,
                    first,
                    rate,
                    everyone,
                    chosen,
                    frame_ms,
                    max_sessions=section.max_sessions or math.inf,
                    max_call_time=section.max_call_time or self._config.server.max_call_time or math.inf,
                    max_silence=section.max_silence or self._config.server.max_silence or math.inf,
                    workers=workers,
                )
        return campaigns

    def _agent(
        self, section: CampaignSection | AgentSection, name: str, path: str, info: CampaignInfo, make: _MakeAgent
    ) -> CampaignAgent | None:
        """``name`` is what it is called in the campaign."""
        found = self._find(self._registry.agents, section.agent, f"{path}.agent")
        if found is None:
            return None
        made = make(found, section.settings, path, name, info)
        return CampaignAgent(made[0], found.spec.name, found.plugin, made[1]) if made else None

    def _make_agent(
        self, found: Registered[AgentSpec], settings: PluginSettings, path: str, name: str, info: CampaignInfo
    ) -> tuple[Agent, msgspec.Struct | None] | None:
        return self._make(found, settings, f"{path}.settings", info)

    def _leave_to_workers(
        self, found: Registered[AgentSpec], settings: PluginSettings, path: str, name: str, info: CampaignInfo
    ) -> tuple[Agent, msgspec.Struct | None] | None:
        """Its settings are looked at here; it is made where it is to run, for it may be large."""
        if not found.plugin.distribution and ":" not in found.spec.name:
            self.problems.append(
                f"{path}.agent: expected an agent that a process can load, one that is installed or FILE:FUNCTION, "
                f'because of isolation = "process"'
            )
        try:
            return Elsewhere(name), typed_settings(self._registry, found, settings, f"{path}.settings")
        except ConfigurationError as error:
            self.problems.append(str(error))
            return None

    def _check_rate(self, rate: int, codecs: Sequence[Registered[CodecSpec]], path: str) -> None:
        """Codecs decode straight to the agent's rate: each in force must be able to."""
        for codec in codecs:
            if rate not in codec.spec.sample_rates:
                rates = ", ".join(map(str, codec.spec.sample_rates))
                self.problems.append(f"{path}: expected one of {rates}, as {codec.spec.encoding_name} has, got {rate}")

    def _choose(
        self, catalogue: Catalogue[SpecT], names: Sequence[str] | None, defaults: Sequence[str], path: str
    ) -> list[Registered[SpecT]]:
        """Those that are named, all of which must exist; without a configured list, the defaults that exist."""
        if names is None:
            return [entry for name in defaults if name in catalogue if (entry := self._find(catalogue, name, path))]
        found: list[Registered[SpecT]] = []
        for index, name in enumerate(names):
            entry = self._find(catalogue, name, f"{path}[{index}]")
            if entry in found:
                self.problems.append(f"{path}[{index}]: {name!r} is named twice")
            elif entry is not None:
                found.append(entry)
        return found

    def _find(self, catalogue: Catalogue[SpecT], name: str, path: str) -> Registered[SpecT] | None:
        try:
            return catalogue.find(name)
        except ConfigurationError as error:
            self.problems.append(f"{path}: {error}")
            return None

    def _typed(self, found: Registered[Any], settings: PluginSettings, path: str) -> msgspec.Struct | None:
        try:
            return typed_settings(self._registry, found, settings, path)
        except ConfigurationError as error:
            self.problems.append(str(error))
            return None

    def _make(
        self, found: Registered[Any], settings: PluginSettings, path: str, campaign: CampaignInfo | None = None
    ) -> tuple[Any, msgspec.Struct | None] | None:
        """What the specification creates from its settings, and these settings as its ``config_type``."""
        try:
            typed = typed_settings(self._registry, found, settings, path)
        except ConfigurationError as error:
            self.problems.append(str(error))
            return None
        except PluginError as error:
            self.failures.append(f"{path}: {error}")
            return None
        try:
            return create(found.plugin, found.spec, typed, campaign), typed
        except ConfigurationError as error:
            self.problems.append(join(path, str(error)))
        except PluginError as error:
            self.failures.append(f"{path}: {error}")
        return None
