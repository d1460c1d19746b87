"""A TURN server on a network in memory."""

from dataclasses import dataclass

import trio
from glottis.wire.address import Address, Path

from support.memory import MemoryNetwork
from support.turn_server import TurnServer


class MemoryTurnServer:
    """Gives ``server`` its addresses, also those that it lends."""

    def __init__(self, network: MemoryNetwork, server: TurnServer) -> None:
        self.server = server
        self._network = network
        for address in (server.address, *(Address(server.relay, port) for port in range(49152, 49160))):
            network.add(_Addressed(self, address))

    def arrive(self, data: bytes, path: Path) -> None:
        """Take a datagram, and send what follows from it."""
        self.server.handle_datagram(data, path, trio.current_time())
        for sent, (local, remote, _) in self.server.datagrams_to_send():
            self._network.carry(sent, local, remote)


@dataclass(frozen=True, slots=True)
class _Addressed:
    """One address of a host that has several."""

    host: MemoryTurnServer
    public: Address

    def arrive(self, data: bytes, source: Address) -> None:
        """See ``memory.Host``."""
        self.host.arrive(data, Path(self.public, source))
