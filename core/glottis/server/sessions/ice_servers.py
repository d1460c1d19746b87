"""The STUN and TURN servers that a session's client is told, from the enabled providers (CONTRACT T24)."""

import logging
from collections.abc import Callable, Iterable
from functools import partial
from itertools import islice
from typing import Any

import trio

from glottis.barrier import stop
from glottis.config import NamedProvider
from glottis.contracts.ice_servers import MAX_ICE_SERVERS, IceServer
from glottis.contracts.info import CallInfo
from glottis.plugins.failures import describe, log_failure, message_of
from glottis.plugins.guard import guarded_async

logger = logging.getLogger(__name__)


class IceServerDesk:
    """Asks all ``providers`` at once, and has ``patience`` in seconds with all of them together.

    Those that fail or are slow are left out, and so are unusable servers. Of each, the first failure is logged, and no
    further one until it has succeeded. ``told`` hears of all servers: the gateway gathers from them, too.
    """

    def __init__(
        self,
        providers: Iterable[NamedProvider],
        patience: float,
        told: Callable[[list[IceServer]], None] = lambda servers: None,
    ) -> None:
        self._providers = list(providers)
        self._patience = patience
        self._told = told
        self._failing: set[str] = set()

    async def ask(self, info: CallInfo) -> list[IceServer]:
        """The servers of a call, in the order of their providers."""
        results: dict[str, list[IceServer]] = {}
        with trio.move_on_after(self._patience) as scope:
            async with trio.open_nursery() as nursery:
                for provider in self._providers:
                    nursery.start_soon(self._ask_one, provider, info, results)
        if scope.cancelled_caught:
            self._tell_late([provider.name for provider in self._providers if provider.name not in results])
        servers = [server for provider in self._providers for server in results.get(provider.name, [])]
        self._told(servers)
        return servers

    async def _ask_one(self, provider: NamedProvider, info: CallInfo, results: dict[str, list[IceServer]]) -> None:
        try:
            ask = provider.provider.get_ice_servers
            servers: object = await guarded_async(provider.plugin, "get_ice_servers", ask, info)
            results[provider.name] = _usable_servers(provider, servers)
        except BaseException as error:
            stop(error, partial(self._leave_all_out, provider))
        else:
            self._failing.discard(provider.name)

    def _tell_late(self, late: list[str]) -> None:
        if news := [name for name in late if name not in self._failing]:
            self._failing.update(news)
            logger.warning("ICE servers of %s left out: no answer in %g s", ", ".join(news), self._patience)

    def _leave_all_out(self, provider: NamedProvider, failure: BaseException) -> None:
        if provider.name not in self._failing:
            self._failing.add(provider.name)
            log_failure(logger, failure, "ICE servers left out: %s failed", provider.plugin)


def ice_server_document(server: IceServer) -> dict[str, Any]:
    """As RTCConfiguration takes it (W3C webrtc, §4.2.2)."""
    optional = {"username": server.username, "credential": server.credential}
    return {"urls": list(server.urls), **{name: value for name, value in optional.items() if value is not None}}


def _usable_servers(provider: NamedProvider, servers: object) -> list[IceServer]:
    """What a provider returned, without what would make a client fail. Raises ``TypeError`` if it is no list."""
    if not isinstance(servers, list | tuple):
        raise TypeError(f"get_ice_servers returned {type(servers).__name__}, expected a list of IceServer")
    usable = []
    for index, server in enumerate(islice(servers, MAX_ICE_SERVERS)):
        try:
            usable.append(_own(server))
        except BaseException as error:
            stop(error, partial(_leave_out, provider, index))
    if len(servers) > MAX_ICE_SERVERS:
        left_out = len(servers) - MAX_ICE_SERVERS
        logger.error("ICE servers left out: %d of %s beyond the first %d", left_out, provider.plugin, MAX_ICE_SERVERS)
    return usable


def _leave_out(provider: NamedProvider, index: int, problem: BaseException) -> None:
    why = message_of(problem) if isinstance(problem, ValueError) else describe(problem)
    logger.error("ICE server left out: [%d] of %s of %s: %s", index, provider.name, provider.plugin, why)
    problem.__traceback__ = None


def _own(server: object) -> IceServer:
    """A copy without code of the plugin's, which a client can be told; raises ``ValueError`` if there can be none."""
    if not isinstance(server, IceServer):
        raise ValueError(f"expected an IceServer, got {type(server).__name__}")
    urls: object = server.urls
    own = IceServer(tuple(urls) if isinstance(urls, tuple | list) else (), server.username, server.credential)
    own.check()
    return own
