"""``glottis new``: begin a package with a plugin, which works as it is."""

import argparse
import sys
from datetime import date
from pathlib import Path

from glottis.cli.packages import KINDS, LICENSES, Package, check_name
from glottis.cli.parts import Commands, Parts


def add(commands: Commands) -> None:
    """Add the command."""
    new = commands.add_parser("new", help="begin a package with a plugin, which works as it is and has tests")
    new.add_argument("kind", choices=KINDS, help="what the plugin registers")
    new.add_argument("name", help="what the configuration is to call it, such as my-agent")
    new.add_argument(
        "--into", type=Path, default=Path(), metavar="FOLDER", help="where to make the package's folder (default: here)"
    )
    new.add_argument("--license", choices=LICENSES, default="MIT", help="of the package (default: %(default)s)")
    new.add_argument("--author", help="for the licence and the package (default: the authors of the package)")
    new.set_defaults(run=_new)


def _new(options: argparse.Namespace, parts: Parts) -> int:
    check_name(options.name)
    package = Package(KINDS[options.kind], options.name, options.license, options.author, date.today().year)
    package.check_free(parts.load_plugins())
    folder = package.write(options.into)
    sys.stdout.write(f"{folder} has {package.kind.article} for glottis: {package.registered}. Next:\n")
    steps = [
        f"cd {folder}",
        "pip install -e . --group test",
        "pytest && mypy && ruff check",
        *(f'export {name}="{value}"' for name, value in package.kind.environment.items()),
        f"glottis check {package.distribution} --config glottis.toml",
        "glottis serve --config glottis.toml",
    ]
    sys.stdout.writelines(f"  {step}\n" for step in steps)
    return 0
