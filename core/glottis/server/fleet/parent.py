"""The parent: it opens the sockets, keeps the workers, and knows what none of them does. It serves no call itself."""

import logging
import signal
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final

import trio

from glottis.calls.streams import Wakeup
from glottis.contracts.errors import ConfigurationError
from glottis.server.fleet.desk import Desk
from glottis.server.fleet.generation import Generation
from glottis.server.fleet.messages import Stop, Wants
from glottis.server.fleet.process import LOOK, WorkerProcess, start_worker
from glottis.server.fleet.sockets import MediaSockets, SocketDesk
from glottis.server.runtime.counts import report
from glottis.server.runtime.descriptors import raise_limit
from glottis.server.runtime.service_manager import ServiceManager

EXIT_FAILED: Final = 1
EXIT_WRONG_CONFIGURATION: Final = 2
STOP_PATIENCE: Final = 8.0
"""Seconds after their grace in which workers say goodbye, and agents stop; then they are ended."""

logger = logging.getLogger(__name__)


class CannotBegin(Exception):
    """The workers of a configuration do not come to take calls."""

    def __init__(self, reason: str, exit_code: int = EXIT_FAILED) -> None:
        super().__init__(reason)
        self.exit_code = exit_code


def run_fleet(manager: ServiceManager) -> int:
    """Serve until SIGINT or SIGTERM; SIGHUP loads code and configuration anew. Returns the exit code."""
    raise_limit()
    return trio.run(Parent(manager).run)


class Parent:
    """``start`` starts a worker of this number."""

    def __init__(self, manager: ServiceManager) -> None:
        self._manager = manager
        self._sockets = SocketDesk(manager.listening)
        self._changed = Wakeup()
        self._desk = Desk(self._changed)
        self._generation: Generation | None = None
        """Which gets all that is new."""
        self._loading: Generation | None = None
        """Which is to be the next one."""
        self._started = 0
        self._is_loading = True
        self._is_asked_again = False
        """By a signal that came while workers were being loaded, which have read what was there before."""
        self._exit_code = 0
        self._serving = trio.CancelScope()
        self._nursery: trio.Nursery

    async def run(self) -> int:
        """See ``run_fleet``."""
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as signals:
            async with trio.open_nursery() as self._nursery:
                self._nursery.start_soon(self._look)
                self._nursery.start_soon(self._manager.keep_watched)
                self._nursery.start_soon(report, self._desk.counts)
                grace = 0.0
                with self._serving:
                    self._nursery.start_soon(self._begin)
                    grace = await self._serve(signals)
                self._manager.say("STOPPING=1")
                self._nursery.start_soon(self._hurry, signals)
                await self._stop(grace)
                self._nursery.cancel_scope.cancel()
        if self._generation is not None:
            self._tell_counts()
        return self._exit_code

    def _tell_counts(self) -> None:
        logger.info(
            "the gateway has counted %s, workers lost %d with %d calls",
            *(self._desk.counts(), self._desk.lost, self._desk.calls_lost),
        )

    async def _serve(self, signals: AsyncIterator[int]) -> float:
        """Until a signal ends it; returns the seconds that calls may go on for."""
        async for signum in signals:
            name = signal.Signals(signum).name
            if signum == signal.SIGHUP:
                self._reload(name)
                continue
            logger.info("%s: stopping", name)
            generation = self._generation
            return generation.wants.shutdown_grace if generation and signum == signal.SIGTERM else 0.0
        raise AssertionError("signals have no end")

    # Beginning

    async def _begin(self) -> None:
        try:
            generation = self._generation = await self._load()
            generation.take_over()
        except CannotBegin as error:
            if not self._desk.is_stopping:
                logger.error("no worker serves: %s", error)
                self._exit_code = error.exit_code
                self._serving.cancel()
            return
        self._desk.tell_state()
        logger.info("glottis serves %s with %d workers", self._url(), generation.wants.workers)
        self._manager.say("READY=1", "STATUS=serves")
        self._reload_again()

    def _reload(self, name: str) -> None:
        if self._is_loading:
            logger.info("%s: workers are being loaded already, and once more after that", name)
            self._is_asked_again = True
            return
        self._is_loading = True
        logger.info("%s: loading code and configuration anew", name)
        self._manager.say_reloading()
        self._nursery.start_soon(self._replace)

    async def _replace(self) -> None:
        """New workers beside the old ones, which then finish their calls; none of the old if there are no new."""
        old = self._generation
        try:
            new = await self._load()
        except CannotBegin as error:
            if not self._desk.is_stopping:
                logger.error("not reloaded, the workers that there are go on: %s", error)
        else:
            self._generation = new
            new.take_over()
            self._desk.limits_of(new.wants)
            logger.info("%d new workers serve %s", new.wants.workers, self._url())
            if old is not None:
                self._retire(old, new)
        self._manager.say("READY=1")
        self._reload_again()

    def _reload_again(self) -> None:
        if self._is_asked_again and not self._desk.is_stopping:
            self._is_asked_again = False
            self._reload("SIGHUP before")

    def _retire(self, old: Generation, new: Generation) -> None:
        """Calls go on for their grace. The listening sockets are never closed unless others are wanted."""
        old.is_over = True
        for worker in old.workers:
            self._let_go(worker, new.wants.shutdown_grace, listening=False)
        if old.listeners is not new.listeners:
            for sock in old.listeners:
                sock.close()
        self._changed.wake()

    async def _load(self) -> Generation:
        """Workers by the configuration as it is now. Raises ``CannotBegin``, and leaves nothing then."""
        generation: Generation | None = None
        scout: WorkerProcess | None = None
        try:
            scout = await self._spawn()
            wants = await self._wants_of(scout)
            generation = self._loading = self._prepare(wants, scout)
            await self._until(lambda: generation.has_begun or bool(generation.failure) or generation.is_over)
            if not generation.has_begun:
                raise CannotBegin(generation.failure)
            self._nursery.start_soon(generation.keep_spare)
        except (CannotBegin, ConfigurationError, OSError) as error:
            self._abandon(generation, scout)
            if isinstance(error, CannotBegin):
                raise
            raise CannotBegin(str(error), EXIT_WRONG_CONFIGURATION) from None
        finally:
            self._is_loading, self._loading = False, None
        return generation

    async def _wants_of(self, scout: WorkerProcess) -> Wants:
        """The first worker says what the configuration is, or leaves and has said what is wrong with it."""
        await self._until(lambda: scout.wants is not None or scout.exit_code is not None)
        if scout.wants is None:
            raise CannotBegin(
                f"{scout} {scout.reason}", scout.exit_code if scout.exit_code and scout.exit_code > 0 else EXIT_FAILED
            )
        return scout.wants

    def _prepare(self, wants: Wants, scout: WorkerProcess) -> Generation:
        old = self._generation
        is_same_place = old is not None and (old.wants.host, old.wants.port) == (wants.host, wants.port)
        listeners = old.listeners if old is not None and is_same_place else self._sockets.listen(wants)
        generation = Generation(wants, listeners, self._spawn, self._changed)
        media: list[MediaSockets] = []
        try:
            for _ in range(wants.workers):
                media.append(self._sockets.open_media(wants))
        except BaseException:
            for each in media:
                self._sockets.close_media(each)
            if not is_same_place:
                _close(listeners)
            raise
        if old is None:
            self._desk.limits_of(wants)
        for index, each in enumerate(media):
            self._nursery.start_soon(self._keep, generation, each, scout if index == 0 else None)
        return generation

    async def _keep(self, generation: Generation, media: MediaSockets, first: WorkerProcess | None) -> None:
        try:
            await generation.keep_one(media, first)
        finally:
            self._sockets.close_media(media)

    def _abandon(self, generation: Generation | None, scout: WorkerProcess | None) -> None:
        workers = [*(generation.workers if generation else ()), *([scout] if scout else ())]
        for worker in workers:
            worker.is_leaving = True
            worker.kill()
        if generation is not None:
            generation.is_over = True
            if self._generation is None or generation.listeners is not self._generation.listeners:
                _close(generation.listeners)
        self._changed.wake()

    async def _spawn(self) -> WorkerProcess:
        self._started += 1
        worker = await start_worker(self._started)
        self._desk.add(worker)
        self._nursery.start_soon(worker.run, self._desk)
        if self._desk.is_stopping:  # since it was begun: all others have been told
            self._let_go(worker, 0.0, listening=True)
        return worker

    async def _until(self, is_so: Callable[[], bool]) -> None:
        while not is_so():
            await self._changed.wait()

    async def _look(self) -> None:
        while True:
            await trio.sleep(LOOK)
            self._desk.look()

    # The end

    def _let_go(self, worker: WorkerProcess, grace: float, *, listening: bool) -> None:
        """Its calls may go on for so many seconds. Who has none yet leaves at once."""
        has_begun = bool(worker.media)
        worker.is_leaving = True
        if has_begun:
            worker.say(Stop(grace, listening))  # unless it is about to leave
            self._nursery.start_soon(self._see_off, worker, grace + STOP_PATIENCE)
        else:
            worker.kill()

    async def _see_off(self, worker: WorkerProcess, patience: float) -> None:
        with trio.move_on_after(patience) as scope:
            await self._until(lambda: worker.exit_code is not None)
        if scope.cancelled_caught:
            worker.kill(f"has not left in {patience:g} s")

    async def _stop(self, grace: float) -> None:
        self._desk.is_stopping = True
        self._desk.tell_state()
        for generation in (self._generation, self._loading):
            if generation is not None:
                generation.is_over = True
        self._changed.wake()
        for worker in self._desk.workers:
            self._let_go(worker, grace, listening=True)
        await self._until(lambda: not self._desk.workers)
        self._exit_code = self._exit_code or (EXIT_FAILED if self._desk.has_failed else 0)

    async def _hurry(self, signals: AsyncIterator[int]) -> None:
        """A second signal ends what is left of the grace."""
        async for signum in signals:
            if signum != signal.SIGHUP:
                for worker in self._desk.workers:
                    self._let_go(worker, 0.0, listening=True)

    def _url(self) -> str:
        assert self._generation is not None
        host, port = self._generation.wants.host, self._generation.listeners[0].getsockname()[1]
        return f"{self._generation.wants.scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def _close(sockets: Sequence[socket.socket]) -> None:
    for sock in sockets:
        sock.close()
