"""``glottis serve`` in one process: a gateway that ends when a signal says so."""

import logging
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import NoReturn

import trio

from glottis.config import ResolvedConfig
from glottis.server.announcing import announce
from glottis.server.gateway import GOODBYE_TIMEOUT, Gateway, open_gateway
from glottis.server.runtime.collector import collecting
from glottis.server.runtime.descriptors import raise_limit
from glottis.server.runtime.service_manager import ServiceManager, check_reach
from glottis.server.runtime.start_pages import give_back
from glottis.server.runtime.watchdog import EXIT_ABANDONED
from glottis.server.sessions.times import DEFAULT_TIMES, SessionTimes

logger = logging.getLogger(__name__)


def run(config: ResolvedConfig, times: SessionTimes = DEFAULT_TIMES) -> None:
    """Serve until SIGINT (calls end at once) or SIGTERM (calls may go on for ``server.shutdown_grace``)."""
    trio.run(serve, config, times)


async def serve(
    config: ResolvedConfig,
    times: SessionTimes = DEFAULT_TIMES,
    manager: ServiceManager | None = None,
    *,
    has_terminal: bool = False,
) -> None:
    """What ``run`` runs: it takes over the process's signals, its descriptors and its garbage collector.

    ``manager`` is told how it goes. A process that ``has_terminal`` ends with it, by SIGHUP; elsewhere that signal is
    meant to reload, which one process cannot, and to end all calls for it is not what anybody wants.
    """
    raise_limit()
    manager = manager or ServiceManager({})
    check_reach(manager.listening, config.config.server)
    listeners = [trio.SocketListener(trio.socket.from_stdlib_socket(sock)) for sock in manager.listening]
    grace: dict[int, float] = {signal.SIGINT: 0.0, signal.SIGTERM: config.config.server.shutdown_grace}
    longest_stop = {signum: seconds + GOODBYE_TIMEOUT + times.stop + 1.0 for signum, seconds in grace.items()}
    with trio.open_signal_receiver(*grace, *([] if has_terminal else [signal.SIGHUP])) as signals:
        async with (
            open_gateway(config, times=times, listeners=listeners or None) as gateway,
            collecting(gateway.scheduler, lambda: len(gateway.sessions), partial(_settle, gateway)),
            _watched(manager),
        ):
            with gateway.watchdog.guarding_exit(longest_stop):
                async with trio.open_nursery() as announcing:
                    announcing.start_soon(_announce, config, gateway, manager)
                    received = await _next_stop(signals, manager)
                    announcing.cancel_scope.cancel()
                logger.info("%s: stopping", signal.Signals(received).name)
                manager.say("STOPPING=1")
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(_hurry, gateway, signals, manager)
                    if not await gateway.stop(grace[received]):
                        abandon()
                    nursery.cancel_scope.cancel()


def _settle(gateway: Gateway) -> None:
    """There is no call, and what was loaded was looked through."""
    give_back()
    gateway.watchdog.excuse()


async def _announce(config: ResolvedConfig, gateway: Gateway, manager: ServiceManager) -> None:
    await announce(config, gateway)
    manager.say("READY=1")


@asynccontextmanager
async def _watched(manager: ServiceManager) -> AsyncIterator[None]:
    """While the block lasts the service manager hears that the event loop turns."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(manager.keep_watched)
        yield
        nursery.cancel_scope.cancel()


async def _next_stop(signals: AsyncIterator[int], manager: ServiceManager) -> int:
    """The next signal that ends the gateway."""
    async for signum in signals:
        if signum != signal.SIGHUP:
            return signum
        logger.warning("SIGHUP is no reload of one process, and changes nothing: see server.workers, or restart it")
        manager.say_reloading()
        manager.say("READY=1")
    raise AssertionError("signals have no end")


async def _hurry(gateway: Gateway, signals: AsyncIterator[int], manager: ServiceManager) -> None:
    """A second signal ends what is left of the grace."""
    await _next_stop(signals, manager)
    await gateway.sessions.end_all("the gateway stops")


def abandon() -> NoReturn:
    """End the process under agents that do not stop: nothing else ends a coroutine that refuses cancellation."""
    logger.error("leaving without them")
    logging.shutdown()
    os._exit(EXIT_ABANDONED)
