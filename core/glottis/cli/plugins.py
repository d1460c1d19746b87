"""``glottis plugins``: what is installed."""

import argparse
import os
import sys

from glottis.cli.parts import Commands, Parts, add_config
from glottis.config import load_config


def add(commands: Commands) -> None:
    """Add the command."""
    plugins = commands.add_parser("plugins", help="list the installed plugins, what they register, and broken ones")
    add_config(plugins)
    plugins.set_defaults(run=_plugins)


def _plugins(options: argparse.Namespace, parts: Parts) -> int:
    registry = parts.load_plugins(disabled=load_config(options.config, os.environ).plugins.disabled)
    rows = [("PLUGIN", "DISTRIBUTION", "VERSION", "REGISTERS")]
    rows += [
        (plugin.name, plugin.distribution, plugin.version, ", ".join(registry.registered_by(plugin)) or "nothing")
        for plugin in registry.plugins
    ]
    rows += [
        (broken.plugin.name, broken.plugin.distribution, broken.plugin.version, f"BROKEN: {broken.reason}")
        for broken in registry.broken
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        sys.stdout.write("  ".join(cells).rstrip() + "\n")
    return 0
