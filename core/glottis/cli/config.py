"""``glottis config check``: everything that can be checked without listening."""

import argparse
import sys
from datetime import UTC, datetime

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
    checked = resolved(options.config, parts, check=_check_machine)
    write(f"left out: {broken}" for broken in (*checked.registry.broken, *checked.registry.contests))
    write(_complaints(checked.config.config))
    sys.stdout.write(f"{render(checked.config)}\n# OK\n")
    return 0


def _check_machine(config: Config) -> None:
    """Look for the configured interfaces on this machine, and at certificate and key; raises ``ConfigurationError``."""
    from glottis.media.interfaces import media_addresses  # late, so that other commands need not wait for it

    if addresses := config.media.addresses:
        media_addresses(addresses, config.server.host)
    if config.server.certificate:
        from glottis.server.http.certificates import load  # late, as above

        load(config.server.certificate, config.server.private_key)


def _complaints(config: Config) -> list[str]:
    """Of a certificate that can be served, and will not be believed."""
    if not config.server.certificate:
        return []
    from glottis.server.http.certificates import complaints  # late, as above

    return [f"server.certificate: {each}" for each in complaints(config.server.certificate, datetime.now(UTC))]
