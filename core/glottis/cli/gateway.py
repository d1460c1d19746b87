"""The gateway in this process, with what runs beside it. Imported late: it takes a while."""

from collections.abc import Awaitable, Callable, Sequence

import trio

from glottis.config import ResolvedConfig
from glottis.contracts.errors import LocalError
from glottis.server.gateway import serve


def run_beside(config: ResolvedConfig, beside: Sequence[Callable[[], Awaitable[None]]]) -> None:
    """Serve until a signal ends it, and these tasks with it. Raises ``LocalError``."""
    trio.run(_serve_beside, config, beside)


async def _serve_beside(config: ResolvedConfig, beside: Sequence[Callable[[], Awaitable[None]]]) -> None:
    refusal: LocalError | None = None
    async with trio.open_nursery() as nursery:
        for task in beside:
            nursery.start_soon(task)
        try:
            await serve(config)
        except LocalError as error:  # to come out of here as it is, and not in a group
            refusal = error
        nursery.cancel_scope.cancel()
    if refusal is not None:
        raise refusal
