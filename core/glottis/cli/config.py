"""``glottis config check``: everything that can be checked without listening."""

import argparse
import sys

from glottis.cli.parts import Commands, Parts, add_config, resolved, write
from glottis.config import Config, render


def add(commands: Commands) -> None:
    """Add the command."""
    config = commands.add_parser("config", help="look at the configuration")
    check = config.add_subparsers(required=True, metavar="COMMAND").add_parser(
        "check", help="check everything that can be checked without listening, and print the values in force"
    )
    add_config(check)
    check.set_defaults(run=_check)


def _check(options: argparse.Namespace, parts: Parts) -> int:
    checked = resolved(options.config, parts, check=_check_addresses)
    write(f"left out: {broken}" for broken in (*checked.registry.broken, *checked.registry.contests))
    sys.stdout.write(f"{render(checked.config)}\n# OK\n")
    return 0


def _check_addresses(config: Config) -> None:
    """Look for the configured interfaces on this machine; raises ``ConfigurationError``."""
    from glottis.media.interfaces import media_addresses  # late, so that other commands need not wait for it

    if addresses := config.media.addresses:
        media_addresses(addresses, config.server.host)
