"""What plugins register and make, called behind a guard and checked before it is used."""

import inspect
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, cast

from glottis.contracts.auth import AuthSchemeSpec
from glottis.contracts.call import AgentSpec, CampaignInfo
from glottis.contracts.codec import CodecSpec
from glottis.contracts.components import ComponentSpec, members_of
from glottis.contracts.errors import PluginError
from glottis.contracts.ice_servers import IceServerProviderSpec
from glottis.contracts.pages import Page, PagesSpec
from glottis.contracts.routes import RoutesSpec
from glottis.contracts.turns import VoiceActivityDetector
from glottis.plugins.codecs import guarded_codec
from glottis.plugins.extensions import extension_of
from glottis.plugins.guard import check_members, guarded, guarded_agent, uncounted
from glottis.plugins.manager import Plugin, PluginManager
from glottis.plugins.routes import mounted
from glottis.plugins.specifications import Spec, check_spec, name_of
from glottis.plugins.timing import START_LIMIT
from glottis.plugins.voice_activity import GuardedDetector

Makeable = AgentSpec | AuthSchemeSpec | IceServerProviderSpec | RoutesSpec | ComponentSpec[Any]

REGISTRATION_HOOKS: dict[str, type[Spec]] = {
    "register_agents": AgentSpec,
    "register_codecs": CodecSpec,
    "register_auth_schemes": AuthSchemeSpec,
    "register_ice_server_providers": IceServerProviderSpec,
    "register_pages": PagesSpec,
    "register_routes": RoutesSpec,
    "register_components": ComponentSpec,
}
"""Each start-up hook and the type of what it returns a sequence of."""


def registrations(manager: PluginManager, plugin: Plugin) -> list[Spec]:
    """Everything that one plugin registers, or ``PluginError`` for the first thing that breaks the contract."""
    found: list[Spec] = []
    for hook_name, spec_type in REGISTRATION_HOOKS.items():
        for owner, implementation in manager.implementations(hook_name):
            if owner == plugin:
                plugin.timing(hook_name, START_LIMIT)
                result = guarded(plugin, hook_name, implementation)
                what, check = f"what {hook_name} returned", partial(_checked_specs, plugin, hook_name, spec_type)
                found.extend(uncounted(plugin, what, check, result, allowed=(PluginError,)))
    extension = extension_of(manager, plugin)
    return [*found, extension] if extension is not None else found


def create(plugin: Plugin, spec: Makeable, settings: object, campaign: CampaignInfo | None = None) -> Any:
    """Make the agent, scheme, provider, routes or component that ``spec`` describes; an agent, for this campaign.

    Raises ``PluginError`` or ``ConfigurationError``.
    """
    action = f"create of {spec.name}"
    product: Any = guarded(plugin, action, _make, spec.create, settings, campaign)
    if isinstance(spec, RoutesSpec):
        return mounted(plugin, spec.name, product)
    check_members(plugin, action, product, *_product_members(spec))
    if isinstance(spec, AgentSpec):
        return guarded_agent(plugin, spec.name, product)
    if isinstance(spec, ComponentSpec) and spec.kind is VoiceActivityDetector:
        return GuardedDetector(product, plugin)
    return product


def _make(make: Callable[..., Any], settings: object, campaign: CampaignInfo | None) -> Any:
    """Arguments beyond the settings are for who asks for them by their names."""
    return make(settings) if campaign is None or not _takes(make, "campaign") else make(settings, campaign=campaign)


def _takes(function: Callable[..., Any], name: str) -> bool:
    try:
        parameter = inspect.signature(function).parameters.get(name)
    except (TypeError, ValueError):  # some of those in C have none
        return False
    return parameter is not None and parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)


def _product_members(
    spec: AgentSpec | AuthSchemeSpec | IceServerProviderSpec | ComponentSpec[Any],
) -> tuple[Sequence[str], Sequence[str]]:
    """Its methods, and its attributes."""
    match spec:
        case AgentSpec():
            return ("__call__",), ()
        case AuthSchemeSpec():
            return ("authenticate",), ()
        case IceServerProviderSpec():
            return ("get_ice_servers",), ()
        case ComponentSpec():
            return members_of(cast(type, spec.kind))


def _checked_specs(plugin: Plugin, hook_name: str, spec_type: type[Spec], result: object) -> list[Spec]:
    if not isinstance(result, Sequence):
        expected = f"a list of {spec_type.__name__}"
        raise PluginError(f"{plugin}: {hook_name} returned {type(result).__name__}, expected {expected}")
    specs: list[Spec] = []
    for spec in result:
        if not isinstance(spec, spec_type):
            raise PluginError(f"{plugin}: {hook_name} returned a {type(spec).__name__}, expected {spec_type.__name__}")
        try:
            check_spec(spec)
        except ValueError as error:
            named = f"{spec_type.__name__} {name_of(spec)!r}"
            raise PluginError(f"{plugin}: {hook_name} returned {named} with {error}") from None
        specs.append(_own(plugin, spec))
    return specs


def _own(plugin: Plugin, spec: Spec) -> Spec:
    """The specification as the gateway uses it: without code of the plugin's that is not behind a guard."""
    match spec:
        case CodecSpec():
            return guarded_codec(plugin, spec)
        case PagesSpec():
            return PagesSpec(
                spec.name, {path: Page(page.content, page.media_type) for path, page in spec.pages.items()}
            )
        case _:
            return spec
