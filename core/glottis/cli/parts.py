"""What the commands stand on, and what several of them do."""

import argparse
import gc
import os
import sys
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from glottis.cli.agents import functions_of, resolve_with, with_campaign
from glottis.config import API_KEY_VARIABLE, Config, Isolation, Mistakes, ResolvedConfig, load_what_fits
from glottis.contracts.errors import ConfigurationError, NotInstalled
from glottis.contracts.secret import Secret
from glottis.plugins import FunctionAgent, Registry, installed_names, load_beside, load_plugins

if TYPE_CHECKING:
    from glottis.client.command import CallerOptions

Commands = Any
"""What ``add_subparsers`` returns: argparse's own name of it is private."""
KITS: Final = ("glottis.lab", "glottis.testing")
"""Packages of distributions of their own, for tools of authors and researchers."""


def _run_gateway(config: ResolvedConfig, *beside: Callable[[], Awaitable[None]]) -> None:
    gc.disable()  # as in __main__; the gateway looks for garbage itself
    from glottis.cli.gateway import run_beside  # late, so that the other commands need not wait for what it imports

    run_beside(config, beside)


def _run_parent(path: Path | None) -> int | None:
    from glottis.cli.fleet import run_parent  # late, as above

    return run_parent(path)


def _run_caller(options: "CallerOptions", registry: Registry) -> int:
    from glottis.client.command import run  # late, as above

    return run(options, registry)


def _run_talk(config: ResolvedConfig, options: "CallerOptions", registry: Registry) -> int:
    from glottis.cli.conversation import run_talk  # late, as above

    return run_talk(config, options, registry)


def _unchanged(config: Config) -> Config:
    return config


class Parts(msgspec.Struct, frozen=True):
    """What runs behind the commands; tests give others."""

    load_plugins: Callable[..., Registry] = load_plugins
    run_gateway: Callable[..., object] = _run_gateway
    """Of the configuration, and of the tasks to run beside the gateway."""
    run_parent: Callable[[Path | None], int | None] = _run_parent
    """Where several processes are the gateway; None where they are not, or this is one of them."""
    run_caller: Callable[["CallerOptions", Registry], int] = _run_caller
    run_talk: Callable[[ResolvedConfig, "CallerOptions", Registry], int] = _run_talk


def add_config(parser: argparse.ArgumentParser) -> None:
    """The option ``--config``."""
    parser.add_argument("--config", type=Path, metavar="FILE", help="TOML file; GLOTTIS_SERVER__PORT=… goes on top")


def add_api_key(parser: argparse.ArgumentParser) -> None:
    """The option ``--api-key``."""
    parser.add_argument("--api-key", metavar="KEY", help=f"key to show the gateway; better set {API_KEY_VARIABLE}")


def api_key(options: argparse.Namespace) -> Secret | None:
    """What the option or the environment says."""
    key = options.api_key or os.environ.get(API_KEY_VARIABLE)
    return Secret(key) if key else None


class Resolved(msgspec.Struct, frozen=True):
    """A configuration that can be served, the plugins that are there, and the functions among its agents."""

    config: ResolvedConfig
    registry: Registry
    functions: tuple[FunctionAgent, ...]


def resolved(
    path: Path | None,
    parts: Parts,
    open_agent: Callable[[], FunctionAgent] | None = None,
    change: Callable[[Config], Config] = _unchanged,
    isolation: Isolation | None = None,
    check: Callable[[Config], object] = _unchanged,
) -> Resolved:
    """What the configuration's file and the environment say, changed, and with a campaign for an agent.

    That is opened when the plugins are there: a file of its folder stands for none of their modules. Raises
    ``ConfigurationError`` with one line for each mistake, those that ``check`` finds among them.
    """
    mistakes = Mistakes()
    config = change(load_what_fits(path, os.environ, mistakes))
    installed = _load(parts, config.plugins.disabled, mistakes)
    agent = open_agent() if open_agent else None
    if agent:
        config = with_campaign(config, agent, isolation)
    agents = functions_of(config, agent, mistakes)
    functions = tuple(dict.fromkeys(agents.values()))
    registry = load_beside(installed, functions)
    with mistakes.noted():
        check(config)
    found: ResolvedConfig | None = None
    with mistakes.noted():
        found = resolve_with(config, agents, registry)
    mistakes.check()
    assert found is not None, "what cannot be resolved was noted"
    return Resolved(found, registry, functions)


def _load(parts: Parts, disabled: Collection[str], mistakes: Mistakes) -> Registry:
    """The plugins but those that are disabled, whatever else that list names."""
    try:
        return parts.load_plugins(disabled=disabled)
    except ConfigurationError as error:
        mistakes.add(str(error))
    return parts.load_plugins(disabled=[name for name in disabled if name in installed_names()])


@contextmanager
def extra(name: str, command: str) -> Iterator[None]:
    """For imports of what the extra brings. Raises ``NotInstalled`` where it was not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        missing = str(error.name)
        if missing.partition(".")[0] == "glottis" and missing not in KITS:
            raise
        raise NotInstalled(f"{command}: {missing} is not installed: pip install 'glottis[{name}]'") from None


def write(lines: Iterable[str]) -> None:
    """To standard error, as the command's own words."""
    sys.stderr.writelines(f"glottis: {line}\n" for line in lines)
