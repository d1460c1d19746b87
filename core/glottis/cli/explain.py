"""``glottis explain``: say why a session fares as it does."""

import argparse

from glottis.cli.parts import Commands, Parts, add_api_key, api_key


def add(commands: Commands) -> None:
    """Add the command."""
    explain = commands.add_parser("explain", help="say why a session fares as it does, or has failed")
    explain.add_argument("session", metavar="SESSION", help="its id, as in the gateway's log")
    explain.add_argument("--url", default="http://127.0.0.1:8080", help="of the gateway (default: %(default)s)")
    add_api_key(explain)
    explain.set_defaults(run=_explain)


def _explain(options: argparse.Namespace, parts: Parts) -> int:
    from glottis.client.explaining import run  # late, so that other commands need not wait for it

    return run(options.url, options.session, api_key(options))
