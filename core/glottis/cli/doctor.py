"""``glottis doctor``: say what is wrong with a deployment."""

import argparse

from glottis.cli.parts import Commands, Parts, add_config, resolved


def add(commands: Commands) -> None:
    """Add the command."""
    doctor = commands.add_parser("doctor", help="say what is wrong with a deployment, and what to change")
    add_config(doctor)
    doctor.add_argument("--json", action="store_true", help="print an array of findings")
    doctor.set_defaults(run=_doctor)


def _doctor(options: argparse.Namespace, parts: Parts) -> int:
    from glottis.doctor import run  # late, so that other commands need not wait for it

    examined = resolved(options.config, parts)
    return run(examined.config, examined.registry, as_json=options.json)
