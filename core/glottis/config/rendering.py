"""Shows the configuration in force as TOML, with secrets hidden."""

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from glottis.config.conversion import PluginSettings
from glottis.config.resolved import ResolvedConfig
from glottis.contracts.components import Component
from glottis.contracts.secret import Secret


def render(resolved: ResolvedConfig) -> str:
    """All effective values, defaults included; a secret shows as an ellipsis."""
    values = _plain(resolved.config)
    values["server"]["max_sessions"] = resolved.config.server.most_sessions
    values["media"]["codecs"] = [entry.spec.encoding_name for entry in resolved.codecs]
    values["pages"]["enabled"] = list(resolved.page_sets)
    values["auth"] |= {"scheme": resolved.auth.name, "settings": _plain(resolved.auth.settings)}
    providers = resolved.ice_server_providers
    values["ice_servers"] = {
        "providers": [provider.name for provider in providers],
        "settings": {provider.name: _plain(provider.settings) for provider in providers},
    }
    values["routes"]["settings"] = {one.name: _plain(one.settings) for one in resolved.route_sets}
    values["extensions"]["settings"] = {one.name: _plain(one.settings) for one in resolved.extensions}
    for campaign in resolved.campaigns.values():
        values["campaigns"][campaign.id] |= {
            "settings": _plain(campaign.agent.settings),
            "sample_rate": campaign.sample_rate,
            "frame_ms": campaign.frame_ms,
        }
        others = values["campaigns"][campaign.id]["agents"]
        for name in others:
            others[name]["settings"] = _plain(campaign.agents[name].settings)
    return "\n".join(_table(values, ()))


def _plain(value: object) -> Any:
    """What TOML can say of a value: absent values are left out, secrets hidden."""
    return _without_absent(msgspec.to_builtins(value, enc_hook=_stand_in)) or {}


def _stand_in(value: object) -> str | dict[str, Any]:
    """For secrets, for settings that may hold some and are shown once they have types, and for components."""
    if isinstance(value, Secret):
        return "…"
    if isinstance(value, PluginSettings):
        return {}
    if isinstance(value, Component):
        return {"name": value.name, **_plain(value.settings)}
    raise NotImplementedError(f"settings of type {type(value).__name__}")


def _without_absent(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_absent(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_without_absent(item) for item in value if item is not None]
    return value


def _table(values: Mapping[str, Any], path: tuple[str, ...]) -> list[str]:
    """The lines of a table: its own keys first, then the tables within it."""
    lines = [f"{_key(key)} = {_value(item)}" for key, item in values.items() if not isinstance(item, dict)]
    if lines and path:
        lines = [f"[{'.'.join(map(_key, path))}]", *lines, ""]
    for key, item in values.items():
        if isinstance(item, dict):
            lines += _table(item, (*path, key))
    return lines


def _key(key: str) -> str:
    return key if key.isascii() and key.replace("-", "").replace("_", "").isalnum() else json.dumps(key)


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(key)} = {_value(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
