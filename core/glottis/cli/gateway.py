"""The gateway in this process, with what runs beside it. Imported late: it takes a while."""

import os
from collections.abc import Awaitable, Callable, Sequence

import trio

from glottis.config import ResolvedConfig
from glottis.contracts.errors import LocalError
from glottis.server.fleet.environment import VARIABLE, role_of
from glottis.server.runtime.service_manager import ServiceManager
from glottis.server.serving import serve


def run_beside(config: ResolvedConfig, beside: Sequence[Callable[[], Awaitable[None]]]) -> None:
    """Serve until a signal ends it, and these tasks with it. Raises ``LocalError``."""
    trio.run(_serve_beside, config, beside)


async def _serve_beside(config: ResolvedConfig, beside: Sequence[Callable[[], Awaitable[None]]]) -> None:
    refusal: LocalError | None = None
    async with trio.open_nursery() as nursery:
        for task in beside:
            nursery.start_soon(task)
        try:
            await _serve(config)
        except LocalError as error:  # to come out of here as it is, and not in a group
            refusal = error
        nursery.cancel_scope.cancel()
    if refusal is not None:
        raise refusal


def _has_terminal() -> bool:
    """Whether there is one that controls this process (credentials(7))."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


async def _serve(config: ResolvedConfig) -> None:
    role = role_of(os.environ)
    if role is None:
        await serve(config, manager=ServiceManager(os.environ), has_terminal=_has_terminal())
    else:
        from glottis.server.fleet.worker import serve_as_worker  # late, since one process alone does without it

        del os.environ[VARIABLE]  # programs that agents run are no workers
        await serve_as_worker(config, role.descriptor)
