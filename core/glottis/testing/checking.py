"""All rules on all that a package registers: what ``glottis check`` does."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, get_args

from glottis.config import AgentSection, CampaignSection, Config
from glottis.config.components import typed_settings
from glottis.config.conversion import PluginSettings, convert
from glottis.contracts.audio import FrameTap
from glottis.contracts.auth import AuthRequest
from glottis.contracts.call import AgentSpec
from glottis.contracts.cluster import Cluster, Seat
from glottis.contracts.errors import ConfigurationError, LocalError
from glottis.contracts.extensions import Direction, GatewayInfo
from glottis.contracts.info import CallInfo
from glottis.contracts.secret import Secret
from glottis.contracts.statistics import Statistics
from glottis.plugins import BrokenPlugin, Catalogue, Plugin, Registered, Registry
from glottis.plugins.extensions import Extension, ExtensionSpec
from glottis.plugins.specifications import name_of
from glottis.rtp import FoundKeys
from glottis.testing.rules.agent import AGENT_RULES
from glottis.testing.rules.auth import AUTH_RULES, AuthSubject
from glottis.testing.rules.cluster import CLUSTER_RULES
from glottis.testing.rules.codec import CODEC_RULES
from glottis.testing.rules.component import component_rules_of
from glottis.testing.rules.extension import LIFESPAN_RULES, OBSERVER_RULES, ExtensionSubject
from glottis.testing.rules.ice import ICE_RULES
from glottis.testing.rules.plugin import PLUGIN_RULES, PluginSubject
from glottis.testing.rules.processor import PROCESSOR_RULES
from glottis.testing.rules.rule import NotTried, Rule, Verdict, judge, rules_of
from glottis.testing.rules.selection import SELECTION_RULES
from glottis.testing.rules.subject import Subject, check_description, check_specification

PAGES_RULES: Final = rules_of("pages", ("description", "the pages can be served", check_specification))
ROUTES_RULES: Final = rules_of("routes", ("description", "routes are made that can be served", check_description))


_CALL: Final = CallInfo("session", "campaign")


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that a plugin registers: ``codec opus``."""

    title: str
    rules: Sequence[Rule[Any]]
    subject: Any

    def verdicts(self) -> Iterator[Verdict]:
        """One rule after the other."""
        return (judge(rule, self.subject) for rule in self.rules)


def find_plugins(registry: Registry, package: str) -> list[Plugin | BrokenPlugin]:
    """All of a distribution by its name, or of a module, or those of an entry point's name.

    Raises ``LocalError`` if there is none.
    """
    wanted = _normal(package)
    for name_of_plugin in _NAMES:
        found: list[Plugin | BrokenPlugin] = [each for each in registry.plugins if name_of_plugin(each) == wanted]
        found += [each for each in registry.broken if name_of_plugin(each.plugin) == wanted]
        if found:
            return found
        if any(name_of_plugin(each) == wanted for each in registry.disabled):
            raise LocalError(f"{package} is disabled: take it out of plugins.disabled to have it checked")
    names = sorted({each.distribution or each.name for each in registry.plugins})
    raise LocalError(f"no installed plugin is called {package!r}; installed: {', '.join(names) or 'none'}")


def parts_of(plugin: Plugin, registry: Registry, config: Config, api_key: Secret | None = None) -> Iterator[Part]:
    """The plugin itself, and what it registers, with the settings that the configuration has for it.

    ``api_key`` is a key or token that the configured auth scheme lets in.
    """
    yield Part("registration", PLUGIN_RULES, PluginSubject(plugin, registry))
    for entry in _own(registry.codecs, plugin):
        yield Part(f"codec {entry.spec.encoding_name}", CODEC_RULES, entry.spec)
    for entry in _own(registry.agents, plugin):
        yield Part(f"agent {entry.spec.name}", AGENT_RULES, _agent(entry, registry, config))
    for entry in _own(registry.auth_schemes, plugin):
        is_chosen = config.auth.scheme.lower() == _lower(entry)
        accepted = [_request(api_key, config)] if is_chosen and api_key is not None else []
        chosen = config.auth.settings if is_chosen else {}
        scheme = AuthSubject(entry.spec, chosen, plugin, lambda: registry, accepted=accepted)
        yield Part(f"auth scheme {entry.spec.name}", AUTH_RULES, scheme)
        if _has_life(scheme):
            yield Part(f"life of {entry.spec.name}", LIFESPAN_RULES, ExtensionSubject(list, partial(_life, scheme)))
    for entry in _own(registry.ice_server_providers, plugin):
        settings: Mapping[str, Any] = config.ice_servers.settings.get(entry.spec.name, {})
        yield Part(
            f"ICE server provider {entry.spec.name}",
            ICE_RULES,
            Subject(entry.spec, settings, plugin, lambda: registry),
        )
    for entry in _own(registry.extensions, plugin):
        yield from _parts_of_extension(entry, registry, config)
    for entry in _own(registry.routes, plugin):
        settings = config.routes.settings.get(entry.spec.name, {})
        yield Part(f"routes {entry.spec.name}", ROUTES_RULES, Subject(entry.spec, settings, plugin, lambda: registry))
    for entry in _own(registry.pages, plugin):
        yield Part(f"pages {entry.spec.name}", PAGES_RULES, entry.spec)
    for kind, components in registry.components.items():
        for component in _own(components, plugin):
            yield Part(
                f"component {component.spec.name} ({kind.__name__})",
                component_rules_of(component.spec),
                Subject(component.spec, {}, plugin, lambda: registry),
            )


def _agent(entry: Registered[AgentSpec], registry: Registry, config: Config) -> Subject[AgentSpec]:
    """With the settings of the first campaign that names it; those of a function in a file are its calls' alone."""
    sections: list[CampaignSection | AgentSection] = [*config.campaigns.values()]
    sections += [section for each in config.campaigns.values() for section in each.agents.values()]
    used = (section.settings for section in sections if section.agent.lower() == _lower(entry))
    settings = next(used, PluginSettings())
    if ":" not in entry.spec.name:
        return Subject(entry.spec, settings, entry.plugin, lambda: registry)
    untyped = convert(settings, dict[str, Any], "settings")
    return Subject(entry.spec, None, entry.plugin, lambda: registry, untyped)


def _request(api_key: Secret, config: Config) -> AuthRequest:
    """For a session of the first campaign, as ``glottis call`` asks for one."""
    headers = {"authorization": f"Bearer {api_key.reveal()}"}
    campaign = next(iter(config.campaigns), None)
    return AuthRequest("POST", "/api/websession/initiate", headers, "127.0.0.1", campaign_id=campaign)


def _parts_of_extension(entry: Registered[ExtensionSpec], registry: Registry, config: Config) -> Iterator[Part]:
    """Processors of each direction of a call, observers of sessions, and its life."""
    spec = entry.spec
    settings: Mapping[str, Any] = config.extensions.settings.get(spec.name, {})

    def extension() -> Extension:
        try:
            typed = typed_settings(registry, entry, settings, "")
        except ConfigurationError as error:
            raise NotTried(f"needs settings: {'; '.join(str(error).splitlines())}") from None
        return Extension(spec.name, entry.plugin, spec.hooks, typed)

    def processors(direction: Direction) -> Sequence[FrameTap]:
        return extension().ask(
            "audio_processors", call_info=_CALL, direction=direction, tell=_tell_nobody, keys=FoundKeys()
        )

    def lifespan(gateway_info: GatewayInfo) -> object:
        one = extension()
        return one.hooks["gateway_lifespan"](gateway_info=gateway_info, settings=one.settings)

    def join(seat: Seat) -> Cluster:
        one = extension()
        cluster: Cluster = one.hooks["join_cluster"](seat=seat, settings=one.settings)
        return cluster

    subject = ExtensionSubject(
        lambda: extension().ask("session_observers", call_info=_CALL, tell=_tell_nobody, statistics=Statistics),
        lifespan,
    )
    if "select_agent" in spec.hooks:
        yield Part(f"selection of {spec.name}", SELECTION_RULES, partial(_selected, extension))
    if "audio_processors" in spec.hooks:
        for direction in get_args(Direction):
            yield Part(f"processors of {spec.name}, {direction}", PROCESSOR_RULES, partial(processors, direction))
    if "session_observers" in spec.hooks:
        yield Part(f"observers of {spec.name}", OBSERVER_RULES, subject)
    if "gateway_lifespan" in spec.hooks:
        yield Part(f"life of {spec.name}", LIFESPAN_RULES, subject)
    if "join_cluster" in spec.hooks:
        yield Part(f"cluster of {spec.name}", CLUSTER_RULES, join)


def _selected(extension: Callable[[], Extension], call_info: CallInfo, available: Sequence[str]) -> str | None:
    return extension().select_agent(call_info, available)


def _has_life(scheme: AuthSubject) -> bool:
    """Whether something of it lives beside the gateway; no, if it cannot be made."""
    try:
        return hasattr(scheme.make(), "gateway_lifespan")
    except (LocalError, NotTried):
        return False


def _life(scheme: AuthSubject, gateway_info: GatewayInfo) -> object:
    return scheme.make().gateway_lifespan(gateway_info=gateway_info)


def _tell_nobody(name: str, data: Mapping[str, Any]) -> None:
    """There is no client."""


def _own(catalogue: Catalogue[Any], plugin: Plugin) -> list[Registered[Any]]:
    return [entry for entry in catalogue if entry.plugin == plugin]


def _lower(entry: Registered[Any]) -> str:
    return name_of(entry.spec).lower()


def _normal(name: str) -> str:
    """As indexes compare names of distributions."""
    return re.sub(r"[-_.]+", "-", name).lower()


_NAMES: Final[Sequence[Callable[[Plugin], str]]] = (
    lambda plugin: _normal(plugin.distribution),
    lambda plugin: _normal(plugin.package),
    lambda plugin: _normal(plugin.name),
)
"""By which a plugin can be meant, the best first."""
