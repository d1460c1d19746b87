"""Extensions: plugins with hooks that run for each call, or as long as the gateway."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from glottis.contracts.checks import check_config_type
from glottis.contracts.errors import PluginError
from glottis.contracts.info import MAX_IDENTIFIER_LENGTH, CallInfo
from glottis.plugins.guard import guarded
from glottis.plugins.manager import HookImplementation, Plugin, PluginManager

EXTENSION_HOOKS = ("select_agent", "audio_processors", "session_observers", "gateway_lifespan", "join_cluster")
"""Those that are called of the extensions that are enabled, and not before."""


class ExtensionSpec(msgspec.Struct, frozen=True):
    """A plugin that has some of ``EXTENSION_HOOKS``; ``config_type`` is of its settings."""

    name: str
    hooks: Mapping[str, HookImplementation]
    config_type: type[msgspec.Struct] | None = None


class Extension(msgspec.Struct, frozen=True):
    """One that is enabled, with its settings."""

    name: str
    plugin: Plugin
    hooks: Mapping[str, HookImplementation]
    settings: msgspec.Struct | None = None

    def ask(self, hook: str, **arguments: object) -> Sequence[Any]:
        """What a hook returns, a sequence; nothing if it has no such hook. Raises ``PluginError``."""
        result = self._call(hook, arguments)
        if result is None and hook not in self.hooks:
            return ()
        if not isinstance(result, Sequence):
            raise PluginError(f"{self.plugin}: {hook} returned {type(result).__name__}, expected a list")
        return result

    def select_agent(self, call_info: CallInfo, available: Sequence[str]) -> str | None:
        """The name that its hook returns, one of those that are available; None if it has no opinion, or no hook.

        Raises ``PluginError``.
        """
        hook = "select_agent"
        name = self._call(hook, {"call_info": call_info, "available": available})
        if name is None:
            return None
        if not isinstance(name, str):
            expected = "expected the name of an agent, or None"
            raise PluginError(f"{self.plugin}: {hook} returned {type(name).__name__}, {expected}")
        if name not in available:
            chosen = guarded(self.plugin, f"what {hook} returned", repr, name[:MAX_IDENTIFIER_LENGTH], allowed=())
            raise PluginError(f"{self.plugin}: {hook} returned {chosen}; available: {', '.join(available)}")
        return str(name)

    def _call(self, hook: str, arguments: Mapping[str, object]) -> object:
        """None if it has no such hook."""
        implementation = self.hooks.get(hook)
        if implementation is None:
            return None
        return guarded(self.plugin, hook, lambda: implementation(**arguments, settings=self.settings), allowed=())


def extension_of(manager: PluginManager, plugin: Plugin) -> ExtensionSpec | None:
    """The extension that a plugin is, if it is one; raises ``PluginError`` if its settings have no type."""
    hooks = {
        hook: implementation
        for hook in EXTENSION_HOOKS
        for owner, implementation in manager.implementations(hook)
        if owner == plugin
    }
    config_type: Any = None
    for owner, implementation in manager.implementations("extension_settings"):
        if owner == plugin:
            config_type = guarded(plugin, "extension_settings", implementation)
            _check_settings(plugin, config_type, hooks)
    return ExtensionSpec(plugin.name, hooks, config_type) if hooks else None


def _check_settings(plugin: Plugin, config_type: object, hooks: Mapping[str, HookImplementation]) -> None:
    try:
        check_config_type("extension_settings", config_type)
    except ValueError as error:
        raise PluginError(f"{plugin}: {error}") from None
    if not hooks:
        raise PluginError(f"{plugin}: extension_settings is for plugins with {', '.join(EXTENSION_HOOKS)}")
