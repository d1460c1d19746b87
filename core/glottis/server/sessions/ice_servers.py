"""The STUN and TURN servers that a session's client is told, from the enabled providers (CONTRACT T24)."""

import logging
from collections.abc import Iterable
from functools import partial
from itertools import islice

import trio

from glottis.barrier import stop
from glottis.config import NamedProvider
from glottis.contracts.ice_servers import MAX_ICE_SERVERS, IceServer
from glottis.contracts.info import CallInfo
from glottis.plugins.failures import describe, log_failure, message_of

logger = logging.getLogger(__name__)


async def gather_ice_servers(providers: Iterable[NamedProvider], info: CallInfo, patience: float) -> list[IceServer]:
    """Ask all providers at once; those that fail or are slow are logged and left out, and so are unusable servers.

    ``patience`` is in seconds, for all of them together.
    """
    results: dict[str, list[IceServer]] = {}
    providers = list(providers)

    async def ask(provider: NamedProvider) -> None:
        try:
            results[provider.name] = _usable_servers(provider, await provider.provider.get_ice_servers(info))
        except BaseException as error:
            stop(error, partial(_leave_all_out, provider))

    with trio.move_on_after(patience) as scope:
        async with trio.open_nursery() as nursery:
            for provider in providers:
                nursery.start_soon(ask, provider)
    if scope.cancelled_caught:
        late = ", ".join(provider.name for provider in providers if provider.name not in results)
        logger.warning("ICE servers of %s left out: no answer in %g s", late, patience)
    return [server for provider in providers for server in results.get(provider.name, [])]


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


def _leave_all_out(provider: NamedProvider, failure: BaseException) -> None:
    log_failure(logger, failure, "ICE servers left out: %s failed", provider.plugin)


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
