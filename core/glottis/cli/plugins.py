"""``glottis plugins``: what is installed, what of it is used, and how it fares in a running gateway."""

import argparse
import os
import sys
from collections.abc import Iterator

from glottis.cli.parts import Commands, Parts, add_api_key, add_config, api_key, write
from glottis.config import load_config
from glottis.config.uses import Offer, Uses
from glottis.plugins import Plugin, Registry
from glottis.plugins.report import table

_HEADINGS = ("PLUGIN", "DISTRIBUTION", "VERSION", "REGISTERS", "ENABLED")


def add(commands: Commands) -> None:
    """Add the command."""
    plugins = commands.add_parser("plugins", help="list the installed plugins, what they register, and broken ones")
    add_config(plugins)
    plugins.add_argument(
        "--url", help="of a running gateway, to see what its plugins were asked for and how they fared"
    )
    add_api_key(plugins)
    plugins.set_defaults(run=_plugins)


def _plugins(options: argparse.Namespace, parts: Parts) -> int:
    if options.url:
        from glottis.client.plugin_figures import run  # late, so that other commands need not wait for it

        return run(options.url, api_key(options))
    config = load_config(options.config, os.environ)
    registry = parts.load_plugins(disabled=config.plugins.disabled)
    sys.stdout.write(table([_HEADINGS, *_rows(registry, Uses(config, registry), config.plugins.disabled)]))
    write(registry.contests)
    return 0


def _rows(registry: Registry, uses: Uses, disabled: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for plugin in registry.plugins:
        for offer in uses.of(plugin) or [Offer("nothing", (), "it has nothing to be enabled")]:
            yield *_named(plugin), offer.what, _enabled(offer)
    for broken in registry.broken:
        yield *_named(broken.plugin), "nothing", f"BROKEN: {broken.reason}"
    for plugin in registry.disabled:
        keys = [f"plugins.disabled[{index}]" for index, name in enumerate(disabled) if name in _named(plugin)[:2]]
        yield *_named(plugin), "nothing", f"no: {', '.join(keys)}"


def _named(plugin: Plugin) -> tuple[str, str, str]:
    return plugin.name, plugin.distribution, plugin.version


def _enabled(offer: Offer) -> str:
    return f"yes: {', '.join(offer.keys)}" if offer.keys else f"no: {offer.reason}"
