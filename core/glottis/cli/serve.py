"""``glottis serve``: run the gateway."""

import argparse
import logging
import os
from collections.abc import Iterable
from functools import partial
from typing import Final

from glottis.barrier import stop
from glottis.cli.agents import reload_on_change
from glottis.cli.fleet import begin
from glottis.cli.parts import Commands, Parts, add_config, resolved
from glottis.config import load_log, uncaught_errors_logged
from glottis.contracts.errors import LocalError
from glottis.plugins import AgentFile

EXIT_FAILED: Final = 1

logger = logging.getLogger(__name__)


def add(commands: Commands) -> None:
    """Add the command."""
    serve = commands.add_parser("serve", help="run the gateway until it is interrupted")
    add_config(serve)
    serve.add_argument(
        "--agent", metavar="FILE:FUNCTION", help="serve a function, such as my.py:agent, as a campaign of its name"
    )
    serve.add_argument(
        "--isolation", choices=("none", "process"), help="with --agent: where it runs, process: in processes of its own"
    )
    serve.add_argument("--reload", action="store_true", help="load agents anew whenever their files change")
    serve.set_defaults(run=_serve, tell=_log)


def _serve(options: argparse.Namespace, parts: Parts) -> int:
    begin(load_log(options.config, os.environ))  # first, since plugins that are being made may log
    with uncaught_errors_logged():
        if (exit_code := parts.run_parent(options.config)) is not None:
            return exit_code
    open_agent = partial(AgentFile, options.agent) if options.agent else None
    if options.isolation and open_agent is None:
        raise LocalError("--isolation: expected --agent FILE:FUNCTION beside it; campaigns have a setting of that name")
    served = resolved(options.config, parts, open_agent, isolation=options.isolation)
    files = [function for function in served.functions if isinstance(function, AgentFile)]
    if options.reload and not files:
        raise LocalError(
            "--reload: expected --agent FILE:FUNCTION beside it, or a campaign whose agent is such a function"
        )
    beside = [partial(reload_on_change, files)] if options.reload else []
    for broken in (*served.registry.broken, *served.registry.contests):
        logger.warning("left out: %s", broken)
    try:
        with uncaught_errors_logged():
            parts.run_gateway(served.config, *beside)
    except (LocalError, KeyboardInterrupt):
        raise
    except BaseException as error:
        stop(error, lambda failure: logger.critical("the gateway failed", exc_info=failure))
        return EXIT_FAILED
    return 0


def _log(lines: Iterable[str]) -> None:
    for line in lines:
        logger.error("%s", line)
