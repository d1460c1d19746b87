"""A network address translator of the virtual network: its host may get another address in the middle of a call."""

from collections.abc import Iterable, Mapping

from glottis.testing.virtual_network import Host
from glottis.wire.address import Address, Datagram, Path


class Nat:
    """Stands before ``inside``: attach it in that host's place, to the outside addresses.

    ``outside`` maps inside to outside addresses. Only who was written to may write back (address-dependent filtering,
    RFC 4787 §5, by address and port).
    """

    def __init__(self, inside: Host, outside: Mapping[Address, Address]) -> None:
        self._inside = inside
        self._outside = outside
        self._written_to: set[Address] = set()

    def rebind(self, outside: Mapping[Address, Address]) -> None:
        """Translate to other addresses from now on, as after an idle time or a restart. The host does not notice."""
        self._outside = outside
        self._written_to.clear()

    def open(self, remote: Address) -> None:
        """The host has written to ``remote``, which may write back from now on."""
        self._written_to.add(remote)

    def handle_datagram(self, data: bytes, path: Path, now: float) -> None:
        local = {outer: inner for inner, outer in self._outside.items()}.get(path.local)
        if local is not None and path.remote in self._written_to:
            self._inside.handle_datagram(data, path._replace(local=local), now)

    def handle_timeout(self, now: float) -> None:
        self._inside.handle_timeout(now)

    def datagrams_to_send(self) -> Iterable[Datagram]:
        datagrams = list(self._inside.datagrams_to_send())
        for datagram in datagrams:
            self.open(datagram.path.remote)
        return [
            Datagram(datagram.data, datagram.path._replace(local=self._outside[datagram.path.local]))
            for datagram in datagrams
        ]

    def next_timeout(self) -> float | None:
        return self._inside.next_timeout()
