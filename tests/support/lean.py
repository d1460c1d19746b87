"""Gateways in processes of their own that load no more plugins than their configuration uses: each takes its time."""

import json
import re
from typing import Final

from glottis.config.settings import DEFAULT_CODECS, DEFAULT_PROVIDERS, DEFAULT_RESAMPLER
from glottis.plugins.specifications import name_of

from support.installed import installed_plugins

ALWAYS: Final = {*DEFAULT_CODECS, *DEFAULT_PROVIDERS, DEFAULT_RESAMPLER, "anonymous", "echo", "talker", "energy"}
"""What is used without being named, and the agents that tests change to, with the detector that one of them has."""
DISABLED: Final = "GLOTTIS_PLUGINS__DISABLED"


def lean(config: str) -> dict[str, str]:
    """Variables for a gateway of this configuration, which says in quotes what it uses of plugins."""
    registry = installed_plugins()
    used = {name.lower() for name in {*ALWAYS, *re.findall(r'"([^"\n]+)"', config)}}
    idle = [
        plugin.name
        for plugin in registry.plugins
        if used.isdisjoint(name_of(entry.spec).lower() for _, entry, _ in registry.offers_of(plugin))
    ]
    return {DISABLED: json.dumps(idle)}
