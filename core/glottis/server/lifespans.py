"""The lives of extensions and auth schemes beside the gateway's: each in its own task, so that none fails another.

A nursery that an extension opens around its ``yield`` would otherwise be around the gateway, and cancel it.
"""

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final

import trio

from glottis.barrier import stop
from glottis.config import NamedAuthScheme
from glottis.contracts.errors import ConfigurationError, PluginError
from glottis.contracts.extensions import GatewayInfo
from glottis.plugins.extensions import Extension
from glottis.plugins.failures import blamed, log_failure
from glottis.plugins.guard import guarded

logger = logging.getLogger(__name__)

_HOOK: Final = "gateway_lifespan"
STOPPING: Final = 2.0
"""Seconds for an extension to clear away; then it is cancelled."""


class _Lifespan:
    """One extension's context manager, entered and left in its own task."""

    def __init__(self, extension: Extension, info: GatewayInfo) -> None:
        self.extension = extension
        self.problem: ConfigurationError | PluginError | None = None
        """Why it could not be entered."""
        self._info = info
        self._entered = trio.Event()
        self._to_leave = trio.Event()
        self._left = trio.Event()
        self._scope = trio.CancelScope(shield=True)
        """What cancels the gateway is not to keep extensions from clearing away."""

    async def run(self) -> None:
        try:
            with self._scope:
                async with self._make():
                    self._entered.set()
                    await self._to_leave.wait()
            if not self._to_leave.is_set():
                logger.error("%s: gateway_lifespan has ended by itself: the gateway goes on", self.extension.plugin)
        except BaseException as error:
            stop(error, self._failed)
        finally:
            self._entered.set()
            self._left.set()

    async def enter(self, nursery: trio.Nursery) -> None:
        """Wait until it is there; raises ``PluginError`` or ``ConfigurationError`` if it cannot be."""
        nursery.start_soon(self.run)
        try:
            await self._entered.wait()
        except trio.Cancelled:
            self._scope.cancel()
            raise
        if self.problem is not None:
            raise self.problem

    async def leave(self) -> None:
        """Wait until it has cleared away, but not for long."""
        self._to_leave.set()
        with trio.move_on_after(STOPPING) as patience:
            await self._left.wait()
        if patience.cancelled_caught:
            logger.error("%s: gateway_lifespan does not end: it is cancelled", self.extension.plugin)
            self._scope.cancel()

    def _make(self) -> AbstractAsyncContextManager[object]:
        plugin, hook = self.extension.plugin, self.extension.hooks[_HOOK]
        made: object = guarded(plugin, _HOOK, lambda: hook(gateway_info=self._info, settings=self.extension.settings))
        if not isinstance(made, AbstractAsyncContextManager):
            raise PluginError(
                f"{plugin}: gateway_lifespan returned {type(made).__name__}, expected an async context manager"
            )
        return made

    def _failed(self, error: BaseException) -> None:
        plugin = self.extension.plugin
        if self._entered.is_set():
            log_failure(logger, error, "%s: gateway_lifespan has failed: the gateway goes on without it", plugin)
        elif isinstance(error, ConfigurationError | PluginError):
            self.problem = error
        else:
            self.problem = blamed(error, f"{plugin}: gateway_lifespan")
            self.problem.__cause__ = error


def living(auth: NamedAuthScheme) -> tuple[Extension, ...]:
    """The auth scheme, if it has such a life: that is asked for by a method, as of an extension by a hook."""
    method = getattr(auth.scheme, _HOOK, None)
    if not callable(method):
        return ()
    return (Extension(auth.name, auth.plugin, {_HOOK: lambda gateway_info, settings: method(gateway_info)}),)


@asynccontextmanager
async def lifespans(extensions: Sequence[Extension], infos: Sequence[GatewayInfo]) -> AsyncIterator[None]:
    """Enter those that there are, first to last, and leave them last to first.

    Raises ``PluginError`` or ``ConfigurationError`` for one that cannot be entered; those before it are left then.
    """
    lives = [
        _Lifespan(extension, info)
        for extension, info in zip(extensions, infos, strict=True)
        if _HOOK in extension.hooks
    ]
    if not lives:
        yield
        return
    async with trio.open_nursery() as nursery:
        entered, problem = await _enter_all(lives, nursery)
        try:
            if problem is None:
                yield
        finally:
            with trio.CancelScope(shield=True):
                for life in reversed(entered):
                    await life.leave()
    if problem is not None:
        raise problem


async def _enter_all(
    lives: Sequence[_Lifespan], nursery: trio.Nursery
) -> tuple[list[_Lifespan], ConfigurationError | PluginError | None]:
    """Those that are there, and what has kept the next one from it."""
    entered: list[_Lifespan] = []
    for life in lives:
        try:
            await life.enter(nursery)
        except (ConfigurationError, PluginError) as error:
            return entered, error
        entered.append(life)
    return entered, None
