"""The STUN and TURN servers that a session's client is told, from the enabled providers (CONTRACT T24)."""

import logging
from collections.abc import Iterable

import trio

from glottis.config import NamedProvider
from glottis.contracts.ice_servers import IceServer
from glottis.contracts.info import CallInfo

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
        except (Exception, SystemExit) as error:
            logger.error("ICE servers left out: %s failed", provider.plugin, exc_info=error)

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
    for index, server in enumerate(servers):
        try:
            if not isinstance(server, IceServer):
                raise ValueError(f"expected an IceServer, got {type(server).__name__}")
            server.check()
        except ValueError as error:
            logger.error("ICE server left out: [%d] of %s of %s: %s", index, provider.name, provider.plugin, error)
        else:
            usable.append(server)
    return usable
