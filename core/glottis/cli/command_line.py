"""The command line. What is wrong with the configuration is told in one line each, with exit code 2."""

import argparse
import logging
import os
import select
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Final

from glottis.barrier import split
from glottis.cli import call, cert, check, config, device, doctor, explain, lab, new, plugins, serve, talk
from glottis.cli.parts import Parts, write
from glottis.config import flush_logs, name_sources
from glottis.contracts.errors import ConfigurationError, LocalError

EXIT_WRONG_CONFIGURATION: Final = 2
EXIT_UNREAD: Final = 141
"""What shells report for a program that SIGPIPE ended."""
EXIT_INTERRUPTED: Final = 130
"""What shells report for a program that SIGINT ended."""

logger = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None, parts: Parts | None = None) -> int:
    """Run one command and return the process's exit code."""
    options = _parser().parse_args(arguments)
    try:
        exit_code: int = options.run(options, parts or Parts())
        if sys.stdout is not None:  # as it is where that was closed before
            sys.stdout.flush()  # here, where it is seen that nobody reads
    except LocalError as error:
        file = getattr(options, "config", None)
        message = name_sources(str(error), os.environ, file) if isinstance(error, ConfigurationError) else str(error)
        options.tell(message.splitlines())
        return EXIT_WRONG_CONFIGURATION
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except (BrokenPipeError, BaseExceptionGroup) as error:
        if isinstance(error, BaseExceptionGroup) and _has_interrupt(error):
            return EXIT_INTERRUPTED
        if not _is_unread(error):
            raise
        return EXIT_UNREAD
    finally:
        flush_logs()
    return exit_code


def _has_interrupt(group: BaseExceptionGroup[BaseException]) -> bool:
    """Whether the operator's interrupt is in it, as trio's nurseries hand it on; what else failed with it is logged."""
    interrupt, failure = split(group)
    if interrupt is not None and failure is not None:
        logger.error("failed when it was interrupted", exc_info=failure)
    return interrupt is not None


def _is_unread(error: BaseException) -> bool:
    """Whether a pipe has broken because nobody reads standard output, as in ``glottis check … | head``.

    What is left to print goes nowhere then, at the interpreter's end, too.
    """
    broken = error.subgroup(BrokenPipeError) if isinstance(error, BaseExceptionGroup) else error
    if broken is None or sys.stdout is None:
        return False
    output = sys.stdout.fileno()
    poll = select.poll()
    poll.register(output, 0)
    if not any(seen & select.POLLERR for _, seen in poll.poll(0)):
        return False
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, output)
    os.close(nowhere)
    return True


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="glottis", description="A WebRTC voice gateway.")
    parser.add_argument("--version", action="version", version=f"glottis {version('glottis')}")
    parser.set_defaults(tell=write)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for module in (serve, talk, call, device, explain, doctor, lab, new, cert, check, plugins, config):
        module.add(commands)
    return parser
