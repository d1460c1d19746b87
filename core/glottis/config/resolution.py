"""Fits the configuration to the plugins: every name it uses must exist, and every setting must suit its plugin."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import msgspec

from glottis.config.components import typed_settings
from glottis.config.conversion import PluginSettings, join
from glottis.config.settings import DEFAULT_CODECS, DEFAULT_PAGES, DEFAULT_PROVIDERS, DEFAULT_RESAMPLER, Config
from glottis.contracts.auth import AuthScheme
from glottis.contracts.call import Agent, CampaignInfo
from glottis.contracts.codec import CodecSpec
from glottis.contracts.errors import ConfigurationError
from glottis.contracts.ice_servers import IceServerProvider
from glottis.contracts.pages import Page
from glottis.contracts.resampling import Resampling
from glottis.plugins import Catalogue, Plugin, Registered, Registry, create
from glottis.plugins.resampling import GuardedResampling
from glottis.plugins.specifications import Spec

LOOPBACK_SCHEME: Final = "anonymous"
"""The auth scheme when none is configured."""

SpecT = TypeVar("SpecT", bound=Spec)


@dataclass(frozen=True, slots=True)
class Campaign:
    """What answers the calls of one ``campaignId``; ``sample_rate`` in hertz is that of the agent's audio."""

    id: str
    agent: Agent
    agent_name: str
    sample_rate: int
    plugin: Plugin
    settings: msgspec.Struct | None = None
    told_settings: Mapping[str, Any] = field(default_factory=dict)
    """Of an agent without a type of settings: its calls are told them, as ``CallInfo.campaign_settings``."""


@dataclass(frozen=True, slots=True)
class NamedAuthScheme:
    """The auth scheme in force."""

    name: str
    scheme: AuthScheme
    plugin: Plugin
    settings: msgspec.Struct | None = None


@dataclass(frozen=True, slots=True)
class NamedProvider:
    """An ICE server provider, by the name that configuration calls it."""

    name: str
    provider: IceServerProvider
    plugin: Plugin
    settings: msgspec.Struct | None = None


@dataclass(frozen=True, slots=True)
class ResolvedConfig:
    """A configuration that can be served: everything that it names was found, checked and made."""

    config: Config
    auth: NamedAuthScheme
    campaigns: Mapping[str, Campaign]
    codecs: tuple[Registered[CodecSpec], ...]
    """In order of preference, at least one."""
    ice_server_providers: tuple[NamedProvider, ...] = ()
    page_sets: tuple[str, ...] = ()
    pages: Mapping[str, Page] = field(default_factory=dict)
    """By absolute URL path, of all sets together."""
    resampling: Resampling | None = None
    """Of uncompressed audio, if it is installed."""
    plugins: tuple[Plugin, ...] = ()
    """All that are loaded, to find the culprit of an error among."""


def resolve(config: Config, registry: Registry) -> ResolvedConfig:
    """Find, check and make all that the configuration names.

    Raises ``ConfigurationError`` with one line for each name or setting that does not fit, and ``PluginError`` when a
    plugin fails to make its part.
    """
    resolution = _Resolution(config, registry)
    auth = resolution.auth()
    codecs = resolution.codecs()
    providers = resolution.providers()
    page_sets, pages = resolution.pages()
    campaigns = resolution.campaigns(codecs)
    resampling = resolution.resampling()
    if auth is None or resolution.problems:
        raise ConfigurationError("\n".join(resolution.problems))
    return ResolvedConfig(config, auth, campaigns, codecs, providers, page_sets, pages, resampling, registry.plugins)


class _Resolution:
    """Notes problems instead of raising, so that all of them are reported at once."""

    def __init__(self, config: Config, registry: Registry) -> None:
        self._config = config
        self._registry = registry
        self.problems: list[str] = []

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
        settings = {name.lower(): values for name, values in section.settings.items()}
        providers = []
        for found in self._choose(catalogue, section.providers, DEFAULT_PROVIDERS, "ice_servers.providers"):
            name = found.spec.name
            made = self._make(found, settings.get(name.lower(), PluginSettings()), f"ice_servers.settings.{name}")
            if made is not None:
                providers.append(NamedProvider(name, made[0], found.plugin, made[1]))
        for name in section.settings:
            if name not in catalogue:
                self._find(catalogue, name, f"ice_servers.settings.{name}")
        return tuple(providers)

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

    def campaigns(self, codecs: Sequence[Registered[CodecSpec]]) -> dict[str, Campaign]:
        campaigns = {}
        for campaign_id, section in self._config.campaigns.items():
            path = f"campaigns.{campaign_id}"
            found = self._find(self._registry.agents, section.agent, f"{path}.agent")
            if found is None:
                continue
            rate = section.sample_rate or found.spec.sample_rate
            self._check_rate(rate, codecs, f"{path}.sample_rate")
            made = self._make(found, section.settings, f"{path}.settings", CampaignInfo(campaign_id, rate))
            if made:
                campaigns[campaign_id] = Campaign(campaign_id, made[0], found.spec.name, rate, found.plugin, made[1])
        return campaigns

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
            return [catalogue.find(name) for name in defaults if name in catalogue]
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

    def _make(
        self, found: Registered[Any], settings: PluginSettings, path: str, campaign: CampaignInfo | None = None
    ) -> tuple[Any, msgspec.Struct | None] | None:
        """What the specification creates from its settings, and these settings as its ``config_type``."""
        try:
            typed = typed_settings(self._registry, found, settings, path)
        except ConfigurationError as error:
            self.problems.append(str(error))
            return None
        try:
            return create(found.plugin, found.spec, typed, campaign), typed
        except ConfigurationError as error:
            self.problems.append(join(path, str(error)))
            return None
