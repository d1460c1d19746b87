"""Whether ``glottis serve`` is one process, or the parent of several, or one of these."""

import os
import signal
from pathlib import Path

from glottis.config import Log, Mistakes, configure_logging, load_what_fits
from glottis.server.fleet.environment import role_of


def begin(log: Log) -> None:
    """The log, which says of a worker that it is one. Signals are the parent's, which lets its workers know."""
    role = role_of(os.environ)
    configure_logging(log, "" if role is None else f"worker {role.number}")
    if role is not None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)


def run_parent(path: Path | None) -> int | None:
    """Be the parent, if the configuration wants several processes and this one is none of them; else None.

    Raises ``ConfigurationError`` if the file cannot be read. The rest of it is the workers' to judge: they load it
    anew, while the parent stays.
    """
    if role_of(os.environ) is not None or load_what_fits(path, os.environ, Mistakes()).server.worker_count == 1:
        return None
    from glottis.server.fleet.parent import run_fleet  # late, so that one process need not wait for what it imports
    from glottis.server.runtime.service_manager import ServiceManager

    return run_fleet(ServiceManager(os.environ))
