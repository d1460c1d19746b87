"""Which session a datagram belongs to, when all sessions share the same links (RFC 7983, RFC 8445 §7.3).

- A STUN request carries the local ufrag in its USERNAME.
- A STUN response carries the transaction id of a request that left here: it is noted on its way out, as a NAT would.
- Whatever else comes from a TURN server is for its relay (RFC 8656), which gives what was relayed back here.
- Everything else must come by a path that a session has authenticated by a connectivity check. What does not is
  dropped before anything parses it, so that a stranger can neither disturb a handshake nor cost memory.
"""

from collections import OrderedDict
from typing import Final, NamedTuple, Protocol

import msgspec

from glottis.contracts.errors import Malformed
from glottis.wire.address import Address, Path, Transport
from glottis.wire.demux import (
    is_stun_request,
    is_stun_response,
    stun_local_ufrag_untrusted,
    stun_transaction_id_untrusted,
)

MAX_TRANSACTIONS: Final = 64
"""Outstanding requests of one session, the oldest forgotten first: twice its limit of candidate pairs."""

MAX_PATHS: Final = 32
"""Of one session, as many as it keeps candidate pairs, of which it tells when one is gone. A further one replaces the
oldest that is not in use."""

Arrival = tuple[Address, tuple[str, int], Transport]
"""A ``Path`` as a socket knows it: equal to it, and of the same hash, but made at a tenth of the cost."""


class Receiver(Protocol):
    """A session, as the socket sees it."""

    def receive(self, data: bytes, path: Path) -> None:
        """Take a datagram that belongs to this session. Never raises."""

    def refuse(self) -> None:
        """A datagram of this session was dropped, because too many of it wait already. Never raises."""


class Destination(NamedTuple):
    """Whose a datagram is, and the path that it has come by.

    ``flow`` is the session itself, or what stands for those who know its name and have not proved who they are: they
    shall not use up its time. It is None of a relay, which carries what belongs to many.
    """

    receiver: Receiver
    path: Path
    flow: object | None


class _Entries(msgspec.Struct):
    """What the tables hold for one session."""

    strangers: object = msgspec.field(default_factory=object)
    """Stands for them in ``Destination.flow``."""
    ufrags: set[str] = msgspec.field(default_factory=set)
    paths: dict[Path, None] = msgspec.field(default_factory=dict)
    """Oldest first."""
    in_use: Path | None = None
    transactions: OrderedDict[bytes, None] = msgspec.field(default_factory=OrderedDict)


class Demultiplexer:
    """The tables of an endpoint."""

    def __init__(self) -> None:
        self.dropped = 0
        """Datagrams that belonged to nobody."""
        self._entries: dict[Receiver, _Entries] = {}
        self._by_ufrag: dict[str, Receiver] = {}
        self._by_path: dict[Arrival, Destination] = {}
        self._by_transaction: dict[bytes, Receiver] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def add_ufrag(self, ufrag: str, receiver: Receiver) -> None:
        """Connectivity checks to this local ufrag go to ``receiver``."""
        self._of(receiver).ufrags.add(ufrag)
        self._by_ufrag[ufrag] = receiver

    def remove_ufrag(self, ufrag: str, receiver: Receiver) -> None:
        """``receiver`` is not known by it any more."""
        self._of(receiver).ufrags.discard(ufrag)
        self._by_ufrag.pop(ufrag, None)

    def add_path(self, path: Path, receiver: Receiver, *, proven: bool, in_use: bool = False) -> None:
        """``receiver`` has authenticated ``path``: what comes by it is its own now.

        ``in_use`` if its data goes there: the path keeps its place until this is said of another one.

        A path that another session uses already is taken over only if ``proven``: if a response to a check of our own
        came by it. A received check alone could have a forged source address.
        """
        owner = self._by_path.get(path)
        entries = self._of(receiver)
        if owner is not None and owner.receiver is not receiver:
            if not proven or owner.flow is None:
                return
            del self._entries[owner.receiver].paths[path]
        if in_use:
            entries.in_use = path
        entries.paths[path] = None
        self._by_path[path] = Destination(receiver, path, receiver)
        if len(entries.paths) > MAX_PATHS:
            oldest = next(known for known in entries.paths if known != entries.in_use)
            del entries.paths[oldest], self._by_path[oldest]

    def add_carrier(self, path: Path, receiver: Receiver) -> bool:
        """By ``path`` there is a TURN server: all that comes from it belongs to ``receiver``, its relay.

        But not the responses to what others have asked it, for it is a STUN server as well. Says no if it belongs to
        another relay already.
        """
        owner = self._by_path.get(path)
        if owner is not None and owner.flow is None:
            return False
        if owner is not None:
            del self._entries[owner.receiver].paths[path]
        self._of(receiver).paths[path] = None
        self._by_path[path] = Destination(receiver, path, None)
        return True

    def remove_path(self, path: Path, receiver: Receiver) -> None:
        """``receiver`` has left ``path``, which may be another's already."""
        owner = self._by_path.get(path)
        if owner is not None and owner.receiver is receiver:
            del self._entries[receiver].paths[path], self._by_path[path]

    def note_request(self, data: bytes, receiver: Receiver) -> None:
        """A STUN request of ``receiver`` is leaving: let its response find the way back."""
        transaction_id = stun_transaction_id_untrusted(data)
        transactions = self._of(receiver).transactions
        transactions[transaction_id] = None
        self._by_transaction[transaction_id] = receiver
        if len(transactions) > MAX_TRANSACTIONS:
            oldest, _ = transactions.popitem(last=False)
            self._by_transaction.pop(oldest, None)

    def flows_of(self, receiver: Receiver) -> tuple[object, ...]:
        """See ``Destination.flow``."""
        entries = self._entries.get(receiver)
        return (receiver, entries.strangers) if entries is not None else ()

    def paths_of(self, receiver: Receiver) -> tuple[Path, ...]:
        """Those that it has authenticated, and not left."""
        entries = self._entries.get(receiver)
        return tuple(entries.paths) if entries is not None else ()

    def is_used(self, path: Path) -> bool:
        """Whether it is anybody's."""
        return path in self._by_path

    def knows_check(self, data: bytes) -> bool:
        """Whether this is a STUN request that names a session, be it right or not."""
        return is_stun_request(data) and self._stun_receiver(data) is not None

    def remove(self, receiver: Receiver) -> None:
        """Forget everything about ``receiver``."""
        entries = self._entries.pop(receiver, _Entries())
        for ufrag in entries.ufrags:
            del self._by_ufrag[ufrag]
        for path in entries.paths:
            del self._by_path[path]
        for transaction_id in entries.transactions:
            self._by_transaction.pop(transaction_id, None)

    def dispatch(self, data: bytes, arrival: Arrival) -> None:
        """Hand a datagram to its session at once, or drop it."""
        destination = self.find(data, arrival)
        if destination is not None:
            destination.receiver.receive(data, destination.path)

    def find(self, data: bytes, arrival: Arrival) -> Destination | None:
        """Whose a datagram is; None, and counted, for nobody's."""
        known = self._by_path.get(arrival)
        is_stun = not data or data[0] < 4  # RFC 7983 §7, in place: this runs once per packet
        destination = self._find_stun(data, arrival, known) if is_stun else known
        if destination is None:
            self.dropped += 1
        return destination

    def refuse(self, destination: Destination) -> None:
        """A datagram of this session, or of strangers, is dropped: count it where it belongs."""
        if destination.flow is destination.receiver:
            destination.receiver.refuse()
        else:
            self.dropped += 1

    def _of(self, receiver: Receiver) -> _Entries:
        return self._entries.setdefault(receiver, _Entries())

    def _find_stun(self, data: bytes, arrival: Arrival, known: Destination | None) -> Destination | None:
        receiver = self._stun_receiver(data)
        if receiver is None:
            return known if known is not None and known.flow is None else None
        if known is not None and known.receiver is receiver:
            return known
        local, remote, transport = arrival
        proved = is_stun_response(data)  # by a number that was drawn for it
        flow = receiver if proved else self._of(receiver).strangers
        return Destination(receiver, Path(local, Address(*remote), transport), flow)

    def _stun_receiver(self, data: bytes) -> Receiver | None:
        try:
            if is_stun_request(data):
                return self._by_ufrag.get(stun_local_ufrag_untrusted(data))
            if is_stun_response(data):
                return self._by_transaction.get(stun_transaction_id_untrusted(data))
        except Malformed:
            pass
        return None
