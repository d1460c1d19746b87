"""``glottis check``: try a package rule by rule, before others use it. It needs the extra ``glottis[testing]``."""

import argparse
import os
import sys
from collections import Counter

from glottis.cli.parts import Commands, Parts, add_api_key, add_config, api_key, extra
from glottis.config import load_config
from glottis.plugins import AgentFile, BrokenPlugin, Plugin, Registry, load_beside

EXIT_BROKEN = 1


def add(commands: Commands) -> None:
    """Add the command."""
    check = commands.add_parser("check", help="try all that a plugin registers, rule by rule")
    check.add_argument("package", metavar="PACKAGE", help="its distribution or module, or FILE:FUNCTION of an agent")
    add_config(check)
    add_api_key(check)
    check.set_defaults(run=_check)


def _check(options: argparse.Namespace, parts: Parts) -> int:
    with extra("testing", "check"):
        from glottis.testing.checking import find_plugins, parts_of  # late, so that other commands do without it
        from glottis.testing.rules.rule import Outcome

    config = load_config(options.config, os.environ)
    plugin, registry = _loaded(options.package, parts, config.plugins.disabled)
    found = find_plugins(registry, options.package) if plugin is None else [plugin]
    outcomes: Counter[Outcome] = Counter()
    for each in found:
        if isinstance(each, BrokenPlugin):
            outcomes[Outcome.BROKEN] += 1
            sys.stdout.write(f"{each.plugin}\nFAIL  {each.reason}\n\n")
            continue
        sys.stdout.write(f"{each}\n\n")
        for part in parts_of(each, registry, config, api_key(options)):
            sys.stdout.write(f"{part.title}\n")
            for verdict in part.verdicts():
                outcomes[verdict.outcome] += 1
                sys.stdout.write(f"{verdict}\n")
                sys.stdout.flush()
            sys.stdout.write("\n")
    sys.stdout.write(
        f"{outcomes[Outcome.HOLDS]} rules hold, {outcomes[Outcome.BROKEN]} do not, "
        f"{outcomes[Outcome.NOT_TRIED]} were not tried, {outcomes[Outcome.DOES_NOT_APPLY]} do not apply\n"
    )
    return EXIT_BROKEN if outcomes[Outcome.BROKEN] else 0


def _loaded(package: str, parts: Parts, disabled: tuple[str, ...]) -> tuple[Plugin | None, Registry]:
    """The plugins that there are, and which it is, if it is a function in a file."""
    if ":" not in package and not package.endswith(".py"):
        return None, parts.load_plugins(disabled=disabled)
    installed = parts.load_plugins(disabled=disabled)
    agent = AgentFile(package)  # after them: a file of its folder stands for none of their modules
    return agent.plugin, load_beside(installed, [agent])
