"""By which addresses clients reach this gateway: those it has, those the operator names, those that servers see."""

import random
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

import trio

from glottis.config import ResolvedConfig, parse_advertised_address
from glottis.contracts.ice_servers import IceServer
from glottis.contracts.info import CallInfo
from glottis.media.gathering import Gathering, GatheringEndpoint
from glottis.media.interfaces import announced_addresses
from glottis.media.local_names import LocalNames
from glottis.server.sessions.ice_servers import IceServerDesk
from glottis.wire.address import Address

OWN_INFO: Final = CallInfo("gateway", "")
"""What providers of ICE servers are told where the gateway asks for itself."""


class Sockets(GatheringEndpoint, Protocol):
    """What clients are to reach."""

    @property
    def addresses(self) -> Sequence[Address]:
        """The local transport addresses."""


class OwnAddresses:
    """``desk`` gives calls their servers, and what it is given is used here, too; ``run`` works until cancelled.

    ``local_names`` are those of clients, if they are looked up at all; ``streams`` is where calls are accepted by TCP.

    Raises ``ConfigurationError`` if an advertised address can lead nowhere.
    """

    def __init__(
        self, config: ResolvedConfig, sockets: Sockets, patience: float, streams: Sequence[Address] = ()
    ) -> None:
        media = config.config.media
        advertised = [parse_advertised_address(address) for address in media.advertised_addresses]
        self.announced: Mapping[Address, Sequence[Address]] = announced_addresses(
            sockets.addresses,
            advertised,
            bound_too=media.advertise_bound_addresses,
        )
        self.announced_streams: Mapping[Address, Sequence[Address]] = announced_addresses(
            streams,
            [(host, None) for host, _ in advertised] if streams else (),
            bound_too=media.advertise_bound_addresses,
        )
        self.gathering = Gathering(sockets, sockets.addresses, rng=random.SystemRandom())
        self.desk = IceServerDesk(config.ice_server_providers, patience, self._use)
        self.local_names = LocalNames(address.host for address in sockets.addresses)
        self._gathers = config.config.ice_servers.for_gateway and not media.ice_lite
        self._renewal = config.config.ice_servers.renewal
        self._resolves_names = media.resolve_local_names

    async def run(self) -> None:
        """Begin before there is a call; calls may bring servers of their own.

        Without calls for long, relays would be lost with the credentials, and the next call would wait for others.
        """
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.gathering.run)
            if self._resolves_names:
                nursery.start_soon(self.local_names.run)
            while True:
                await self.desk.ask(OWN_INFO)
                await trio.sleep(self._renewal)

    def _use(self, servers: Sequence[IceServer]) -> None:
        if self._gathers:  # a lite agent announces host candidates only (RFC 8445 §5.2)
            self.gathering.use(servers)
