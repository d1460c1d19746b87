"""Calls into plugins, each behind a guard that names the culprit, with results whose types are checked."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec

from glottis.contracts.auth import AuthSchemeSpec
from glottis.contracts.call import AgentSpec
from glottis.contracts.codec import CodecSpec
from glottis.contracts.errors import ConfigurationError, PluginError
from glottis.contracts.ice_servers import IceServerProviderSpec
from glottis.contracts.pages import PagesSpec
from glottis.plugins.manager import Plugin, PluginManager
from glottis.plugins.pages import complaint_about_pages

Spec = AgentSpec | CodecSpec | AuthSchemeSpec | IceServerProviderSpec | PagesSpec
T = TypeVar("T")

REGISTRATION_HOOKS: dict[str, type[Spec]] = {
    "register_agents": AgentSpec,
    "register_codecs": CodecSpec,
    "register_auth_schemes": AuthSchemeSpec,
    "register_ice_server_providers": IceServerProviderSpec,
    "register_pages": PagesSpec,
}
"""Each start-up hook and the type of what it returns a sequence of."""


def guarded(plugin: Plugin, action: str, function: Callable[..., T], *arguments: object) -> T:
    """Call into a plugin. What it raises, or an awaitable where a value belongs, becomes a ``PluginError``.

    ``ConfigurationError`` passes: it says that a setting is wrong, which is not the plugin's fault.
    """
    try:
        result = function(*arguments)
    except ConfigurationError:
        raise
    except Exception as error:
        raise PluginError(f"{plugin}: {action} raised {type(error).__name__}: {error}") from error
    if inspect.isawaitable(result):
        if inspect.iscoroutine(result):
            result.close()
        raise PluginError(f"{plugin}: {action} returned an awaitable; it must be synchronous")
    return result


def registrations(manager: PluginManager, plugin: Plugin) -> list[Spec]:
    """Everything that one plugin registers, or ``PluginError`` for the first thing that breaks the contract."""
    found: list[Spec] = []
    for hook_name, spec_type in REGISTRATION_HOOKS.items():
        for owner, implementation in manager.implementations(hook_name):
            if owner == plugin:
                result = guarded(plugin, hook_name, implementation)
                found.extend(_checked_specs(plugin, hook_name, spec_type, result))
    return found


def create(plugin: Plugin, spec: AgentSpec | AuthSchemeSpec | IceServerProviderSpec, settings: object) -> Any:
    """Make the agent, scheme or provider that ``spec`` describes; raises ``PluginError`` or ``ConfigurationError``."""
    action = f"create of {spec.name}"
    product: object = guarded(plugin, action, spec.create, settings)
    missing = [name for name in _product_methods(spec) if not callable(getattr(product, name, None))]
    if missing:
        raise PluginError(f"{plugin}: {action} returned {type(product).__name__}, which has no {', '.join(missing)}")
    return product


def name_of(spec: Spec) -> str:
    """The name by which configuration speaks of it; codecs go by their RTP encoding name."""
    return spec.encoding_name if isinstance(spec, CodecSpec) else spec.name


def _product_methods(spec: AgentSpec | AuthSchemeSpec | IceServerProviderSpec) -> Sequence[str]:
    match spec:
        case AgentSpec():
            return ("__call__",)
        case AuthSchemeSpec():
            return ("authenticate", "issue", "verify")
        case IceServerProviderSpec():
            return ("get_ice_servers",)


def _checked_specs(plugin: Plugin, hook_name: str, spec_type: type[Spec], result: object) -> list[Spec]:
    if not isinstance(result, Sequence):
        expected = f"a list of {spec_type.__name__}"
        raise PluginError(f"{plugin}: {hook_name} returned {type(result).__name__}, expected {expected}")
    specs: list[Spec] = []
    for spec in result:
        if not isinstance(spec, spec_type):
            raise PluginError(f"{plugin}: {hook_name} returned a {type(spec).__name__}, expected {spec_type.__name__}")
        if complaint := _complaint(spec):
            raise PluginError(f"{plugin}: {hook_name} returned {spec_type.__name__} {name_of(spec)!r} with {complaint}")
        specs.append(spec)
    return specs


def _complaint(spec: Spec) -> str | None:
    """What is wrong with the fields of a specification that dataclasses do not check."""
    name: object = name_of(spec)
    if not isinstance(name, str) or not name:
        return "a name that is not a word"
    if isinstance(spec, PagesSpec):
        return complaint_about_pages(spec.pages)
    if isinstance(spec, CodecSpec):
        return None
    create: object = spec.create
    config_type: object = spec.config_type
    if not callable(create):
        return "a create that cannot be called"
    if config_type is not None and not (isinstance(config_type, type) and issubclass(config_type, msgspec.Struct)):
        return "a config_type that is not a msgspec.Struct"
    return None
