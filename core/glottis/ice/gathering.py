"""Server-reflexive addresses of sockets that all calls share: RFC 8445 §5.1.1.2, with STUN servers in parallel.

Sans-I/O, with the verbs of all engines. It knows nothing of calls: what a server sees of a socket is the same for each
of them, so it is asked for once, and kept alive for the calls to come (docs/design/gathering.md).
"""

import random
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from glottis.contracts.errors import Malformed
from glottis.contracts.short_queue import ShortQueue
from glottis.wire.address import Address, Datagram, Path, ip_of
from glottis.wire.stun import TRANSACTION_ID_LENGTH, MessageClass, build_stun, parse_stun_untrusted

MAX_SERVERS: Final = 16
"""Server addresses that are asked; further ones are ignored."""
MAX_ADDRESSES: Final = 4
"""Of one base: a translator that shows each server another address (RFC 4787 §4.1) shows none that helps."""


class GatheringTiming(msgspec.Struct, frozen=True):
    """All times in seconds."""

    pacing: float = 0.05
    """Ta: between two new requests, RFC 8445 §14.2."""
    rto: float = 0.5
    """First retransmission; the time doubles with each (RFC 8489 §6.2.1)."""
    transmissions: int = 5
    """Fewer than the seven of RFC 8489 §6.2.1: a server that needs 8 s is asked again soon."""
    refresh: float = 20.0
    """Between requests that keep a binding alive: translators may forget after 30 s (RFC 4787 §4.3 has seen it)."""
    retry: float = 30.0
    """Before a server that was silent or has refused is asked again; it doubles up to ``rest``."""
    rest: float = 600.0
    """Before a server is asked again that has nothing new to say."""


DEFAULT_TIMING: Final = GatheringTiming()


class StunServer(msgspec.Struct, frozen=True):
    """Where to ask; ``name`` is what the configuration calls it, which tells foundations apart (RFC 8445 §5.1.1.3)."""

    name: str
    address: Address


class ReflexiveAddress(msgspec.Struct, frozen=True):
    """``address`` is what ``server`` sees of ``base``, one of our sockets."""

    address: Address
    base: Address
    server: str


class ServerFailed(msgspec.Struct, frozen=True):
    """A server is silent, refuses, or says what cannot be; told once, until it has answered again."""

    server: StunServer
    reason: str


GatheringEvent = ReflexiveAddress | ServerFailed


class _Binding(msgspec.Struct, eq=False):
    """What one server says of one base."""

    server: StunServer
    base: Address
    due_at: float
    retry: float
    transaction_id: bytes = b""
    """Of the request under way."""
    transmissions_left: int = 0
    rto: float = 0.0
    is_settled: bool = False
    """Whether it was answered, refused or given up once."""
    is_failing: bool = False
    found: ReflexiveAddress | None = None

    @property
    def path(self) -> Path:
        """Where requests go, and the only way responses may come."""
        return Path(self.base, self.server.address)


class ReflexiveGatherer:
    """Asks each server from each of ``bases``. ``rng`` must be unpredictable: transaction ids keep forgers out."""

    def __init__(
        self, bases: Sequence[Address], *, rng: random.Random, timing: GatheringTiming = DEFAULT_TIMING
    ) -> None:
        self.answers_ignored = 0
        """Those with an address that nobody can be reached by, and those that did not come from where was asked."""
        self._bases = bases
        self._rng = rng
        self._timing = timing
        self._bindings: list[_Binding] = []
        self._to_send: list[Datagram] = []
        self._events: ShortQueue[GatheringEvent] = ShortQueue()
        self._next_start = 0.0

    @property
    def addresses(self) -> tuple[ReflexiveAddress, ...]:
        """Those known now, the one that was found first first; each once for its base."""
        return tuple(binding.found for binding in self._bindings if binding.found is not None)

    @property
    def is_settled(self) -> bool:
        """Whether every server has answered or has been given up once: nothing is to be waited for."""
        return all(binding.is_settled for binding in self._bindings)

    def set_servers(self, name: str, addresses: Iterable[Address], now: float) -> None:
        """The addresses that the name of a server leads to, at first and whenever it was looked up anew."""
        wanted = [StunServer(name, address) for address in addresses]
        self._bindings = [one for one in self._bindings if one.server.name != name or one.server in wanted]
        known = {binding.server for binding in self._bindings}
        for server in [server for server in wanted if server not in known][: max(0, MAX_SERVERS - len(known))]:
            for base in self._bases:
                if _can_reach(base, server.address):
                    self._start(server, base, now)

    def move_to(self, bases: Sequence[Address], now: float) -> None:
        """Ask the same servers from other addresses; what was seen of those before is forgotten."""
        servers = dict.fromkeys(binding.server for binding in self._bindings)
        self._bases, self._bindings = bases, []
        for server in servers:
            for base in bases:
                if _can_reach(base, server.address):
                    self._start(server, base, now)

    # The engine's verbs

    def handle_datagram(self, data: bytes, path: Path, now: float) -> None:
        """Take a response. It counts by its transaction id, and only if it comes from where was asked. Never raises."""
        try:
            message = parse_stun_untrusted(data)
        except Malformed:
            self.answers_ignored += 1
            return
        binding = next((one for one in self._bindings if one.transaction_id == message.transaction_id), None)
        if binding is None or not message.transaction_id or binding.path != path:
            self.answers_ignored += 1
            return
        mapped = message.xor_mapped_address if message.message_class is MessageClass.SUCCESS else None
        if mapped is None or message.unknown_attributes:
            self._fail(binding, f"refuses: error {message.error_code}" if message.error_code else "says nothing", now)
        elif not _is_plausible(mapped, binding.base):
            self.answers_ignored += 1
            self._fail(binding, "says what cannot be", now)
        else:
            self._succeed(binding, mapped, now)

    def handle_timeout(self, now: float) -> None:
        """Ask anew, ask again, or give up. Early calls do no harm."""
        for binding in self._bindings:
            if binding.due_at > now:
                continue
            if not binding.transaction_id:
                self._ask(binding, now)
            elif binding.transmissions_left:
                self._transmit(binding, now)
            else:
                self._fail(binding, "does not answer", now)

    def next_timeout(self) -> float | None:
        """When ``handle_timeout`` wants to be called."""
        return min((binding.due_at for binding in self._bindings), default=None)

    def datagrams_to_send(self) -> list[Datagram]:
        """Return and empty what is to be sent now."""
        datagrams, self._to_send = self._to_send, []
        return datagrams

    def next_event(self) -> GatheringEvent | None:
        """The oldest event that was not yet told."""
        return self._events.popleft() if self._events else None

    # One request

    def _start(self, server: StunServer, base: Address, now: float) -> None:
        """RFC 8445 §14.2: a translator may not keep up with many new bindings at once."""
        self._next_start = max(now, self._next_start)
        self._bindings.append(_Binding(server, base, self._next_start, self._timing.retry))
        self._next_start += self._timing.pacing

    def _ask(self, binding: _Binding, now: float) -> None:
        binding.transaction_id = self._rng.randbytes(TRANSACTION_ID_LENGTH)
        binding.transmissions_left = self._timing.transmissions
        binding.rto = self._timing.rto
        self._transmit(binding, now)

    def _transmit(self, binding: _Binding, now: float) -> None:
        request = build_stun(MessageClass.REQUEST, binding.transaction_id, ())
        self._to_send.append(Datagram(request, binding.path))
        binding.transmissions_left -= 1
        binding.due_at = now + binding.rto
        binding.rto *= 2

    def _succeed(self, binding: _Binding, mapped: Address, now: float) -> None:
        binding.transaction_id, binding.is_settled, binding.is_failing = b"", True, False
        binding.retry = self._timing.retry
        found = ReflexiveAddress(mapped, binding.base, binding.server.name)
        others = [one.found for one in self._bindings if one is not binding and one.found and one.base == binding.base]
        if mapped in [binding.base, *[other.address for other in others]] or len(others) >= MAX_ADDRESSES:
            binding.found = None  # redundant (RFC 8445 §5.1.3)
            binding.due_at = now + self._timing.rest
            return
        if binding.found is None or binding.found.address != mapped:
            binding.found = found
            self._bindings.remove(binding)
            self._bindings.append(binding)  # they are told in the order in which they were found
            self._events.append(found)
        binding.due_at = now + self._timing.refresh

    def _fail(self, binding: _Binding, reason: str, now: float) -> None:
        """What the server has said before may be true no longer; others that have said the same may know."""
        if binding.found is not None:
            binding.found = None
            for other in self._bindings:
                if other.base == binding.base and not other.transaction_id:
                    other.due_at = now
        binding.transaction_id, binding.is_settled = b"", True
        if not any(one.is_failing for one in self._bindings if one.server == binding.server):
            self._events.append(ServerFailed(binding.server, reason))
        binding.is_failing = True
        binding.due_at = now + binding.retry
        binding.retry = min(2 * binding.retry, self._timing.rest)


def _can_reach(base: Address, server: Address) -> bool:
    base_ip, server_ip = ip_of(base.host.partition("%")[0]), ip_of(server.host)
    if base_ip is None or server_ip is None or base_ip.version != server_ip.version:
        return False
    return base_ip.is_loopback == server_ip.is_loopback


def _is_plausible(mapped: Address, base: Address) -> bool:
    """Whether a peer could be told this; servers may lie, and so may what is on the way."""
    ip, base_ip = ip_of(mapped.host), ip_of(base.host.partition("%")[0])
    if ip is None or base_ip is None or ip.version != base_ip.version or not mapped.port:
        return False
    if ip.is_loopback or base_ip.is_loopback:  # ::1 is of a reserved block, too
        return ip.is_loopback and base_ip.is_loopback
    return not (ip.is_unspecified or ip.is_multicast or ip.is_link_local or ip.is_reserved)
