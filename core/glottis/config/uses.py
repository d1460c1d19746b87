"""What of all that plugins offer a configuration uses, and which of its keys say so. Nothing is made for that."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import msgspec

from glottis.config.components import typed_settings
from glottis.config.conversion import PluginSettings
from glottis.config.resolution import LOOPBACK_SCHEME
from glottis.config.settings import DEFAULT_CODECS, DEFAULT_PAGES, DEFAULT_PROVIDERS, DEFAULT_RESAMPLER, Config
from glottis.contracts.errors import ConfigurationError, PluginError
from glottis.contracts.resampling import Resampling
from glottis.plugins import Catalogue, Plugin, Registered, Registry

BY_DEFAULT: Final = "by default"


class Offer(msgspec.Struct, frozen=True):
    """Something that a plugin offers: ``agent echo``. ``keys`` are those of the configuration that use it, if any do.

    Else ``reason`` says what would have to name it.
    """

    what: str
    keys: tuple[str, ...]
    reason: str = ""


class Uses:
    """Of one configuration, with defaults where it is wrong."""

    def __init__(self, config: Config, registry: Registry) -> None:
        self._registry = registry
        self._found: list[tuple[Registered[Any], str]] = []
        self._reasons: Mapping[Catalogue[Any], str] = {
            registry.agents: "no campaign has this agent",
            registry.codecs: "not in media.codecs"
            if config.media.codecs is not None
            else "not in media.codecs' default",
            registry.auth_schemes: f"auth.scheme is {config.auth.scheme or LOOPBACK_SCHEME}",
            registry.ice_server_providers: "not in ice_servers.providers",
            registry.pages: "not in pages.enabled",
            registry.routes: "not in routes.enabled",
            registry.extensions: "not in extensions.enabled, nor in those of a campaign",
        }
        self._look(config)

    def of(self, plugin: Plugin) -> list[Offer]:
        """All that a plugin offers."""
        return [
            Offer(described, keys, "" if keys else self._reasons.get(catalogue, "no setting names it"))
            for catalogue, entry, described in self._registry.offers_of(plugin)
            for keys in [tuple(dict.fromkeys(key for found, key in self._found if found is entry))]
        ]

    def _look(self, config: Config) -> None:
        registry, media, auth, servers = self._registry, config.media, config.auth, config.ice_servers
        for campaign_id, section in config.campaigns.items():
            path = f"campaigns.{campaign_id}"
            self._note(registry.agents, section.agent, f"{path}.agent", section.settings, f"{path}.settings")
            for name, other in section.agents.items():
                own = f"{path}.agents.{name}"
                self._note(registry.agents, other.agent, f"{own}.agent", other.settings, f"{own}.settings")
            self._look_at_extensions(config, section.extensions or (), f"{path}.extensions")
        self._look_at_extensions(config, config.extensions.enabled, "extensions.enabled")
        key = "auth.scheme" if auth.scheme else BY_DEFAULT
        self._note(registry.auth_schemes, auth.scheme or LOOPBACK_SCHEME, key, auth.settings, "auth.settings")
        providers = registry.ice_server_providers
        for name, key in _chosen(servers.providers, DEFAULT_PROVIDERS, "ice_servers.providers"):
            settings = servers.settings.get(name, PluginSettings())
            self._note(providers, name, key, settings, f"ice_servers.settings.{name}")
        for name in config.routes.enabled:
            settings = config.routes.settings.get(name, PluginSettings())
            self._note(registry.routes, name, "routes.enabled", settings, f"routes.settings.{name}")
        for name, key in _chosen(media.codecs, DEFAULT_CODECS, "media.codecs"):
            self._note(registry.codecs, name, key)
        for name, key in _chosen(config.pages.enabled, DEFAULT_PAGES, "pages.enabled"):
            self._note(registry.pages, name, key)
        resampler = None if media.resampler is None else [media.resampler]
        for name, key in _chosen(resampler, [DEFAULT_RESAMPLER], "media.resampler"):
            self._note(registry.components_of(Resampling), name, key)

    def _look_at_extensions(self, config: Config, names: Sequence[str], key: str) -> None:
        settings = {name.lower(): values for name, values in config.extensions.settings.items()}
        for name in names:
            own = settings.get(name.lower(), PluginSettings())
            self._note(self._registry.extensions, name, key, own, f"extensions.settings.{name}")

    def _note(
        self, catalogue: Catalogue[Any], name: str, key: str, settings: PluginSettings | None = None, path: str = ""
    ) -> None:
        """What cannot be found is for ``resolve`` to tell, and so are wrong settings."""
        with suppress(ConfigurationError, PluginError):
            entry = catalogue.find(name)
            self._found.append((entry, key))
            if settings is not None:
                typed_settings(self._registry, entry, settings, path, self._note_component)

    def _note_component(self, entry: Registered[Any], key: str) -> None:
        self._found.append((entry, key))


def _chosen(names: Sequence[str] | None, defaults: Sequence[str], key: str) -> list[tuple[str, str]]:
    """Each name with what says so."""
    return [(name, BY_DEFAULT) for name in defaults] if names is None else [(name, key) for name in names]
