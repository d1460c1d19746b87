"""The relays of a gateway: one for each TURN server that is named and family of addresses, for all calls.

The URIs of a server are ways to it: each is tried a little after the one before, until it lends an address by one, and
the others are left. It is reached by an address of each family that a socket has, as far as its name has them, and
asked for one of the same: a name with addresses of both lends both.
"""

import logging
import random
import ssl
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import chain
from typing import Final

import msgspec
import trio

from glottis.barrier import stop
from glottis.contracts.errors import ConfigurationError
from glottis.contracts.ice_servers import IceServer, IceUri, parse_ice_uri
from glottis.media.relay import Relay, RelayEndpoint, RelayServer
from glottis.media.relay_ways import family_of, is_over_tls, way_of, why_failed, why_unreachable
from glottis.turn import (
    ALLOCATION_MISMATCH,
    DEFAULT_TIMING,
    Allocated,
    Failed,
    Family,
    LongTermCredentials,
    TurnTiming,
)
from glottis.wire.address import Address, ip_of

logger = logging.getLogger(__name__)

MAX_RELAYS: Final = 4
"""Servers, for each adds a candidate of each family to each call, and pairs with all of the caller's. Of further ones,
each takes the place of one that lends nothing, if there is such a one."""
RETRY: Final = 5.0
"""Seconds before a server is tried again that has lent nothing; they double up to ``REST``."""
RETRY_LOST: Final = 0.5
"""The same of one that was lost, after it was tried at once: it may have been started anew, which takes a second."""
REST: Final = 300.0
SILENCE: Final = 5.0
"""Seconds without a word of a server, after which a call that begins has it asked: it may be gone, or started anew."""
MAX_SOCKETS: Final = 4
"""That a server over UDP makes us open, one after the other, as it takes us for somebody else at each before."""
HEAD_START: Final = 0.5
"""Seconds that a way has before the next one is tried beside it. Where UDP is blocked, nobody waits until that is
certain."""

LookUp = Callable[[str, int], Awaitable[list[Address]]]


class RelayedAddress(msgspec.Struct, frozen=True):
    """``address`` is lent by ``server``, which has seen ``mapped`` of us."""

    address: Address
    mapped: Address | None
    server: str


class _Attempt(msgspec.Struct, eq=False):
    """By one way."""

    scope: trio.CancelScope = msgspec.field(default_factory=trio.CancelScope)
    """Ends it."""
    is_over: trio.Event = msgspec.field(default_factory=trio.Event)
    """It has failed, or lends an address."""
    relay: Relay | None = None
    has_lent: bool = False


class _Server(msgspec.Struct, eq=False):
    """One that is kept, or tried again and again, by its addresses of one family."""

    ways: tuple[IceUri, ...]
    family: Family
    credentials: LongTermCredentials
    """The newest; an allocation stays with those that it was made with (RFC 8656 §5)."""
    is_first: bool = False
    """Of the families: it tells what is wrong whatever the family."""
    lent: RelayedAddress | None = None
    lent_at: float = 0.0
    short_leases: int = 0
    """In a row."""
    attempts: list[_Attempt] = msgspec.field(default_factory=list)
    """Those under way."""
    lends_by: _Attempt | None = None
    sockets: list[Address] = msgspec.field(default_factory=list)
    """Of its own: over UDP the last of them is used, if there is one."""
    is_settled: bool = False
    """Whether it has lent an address, or all ways were tried once."""
    label: str = ""
    failure: str = ""
    """Empty while it lends an address, or was not tried."""
    has_refused: bool = False
    """Whether the failure is what the server has said."""
    retry: float = RETRY
    wake: trio.Event = msgspec.field(default_factory=trio.Event)
    scope: trio.CancelScope = msgspec.field(default_factory=trio.CancelScope)
    """Ends it."""


class Relays:
    """``run`` works until cancelled. ``found`` hears of each address, ``lost`` when it is lent no more, ``settled``
    when a server has been tried, and ``failed`` of one that lends nothing, and why.

    ``bases`` are the addresses of the sockets; ``look_up`` gives the addresses of a host and port.
    """

    def __init__(
        self,
        endpoint: RelayEndpoint,
        bases: Sequence[Address],
        *,
        rng: random.Random,
        look_up: LookUp,
        found: Callable[[RelayedAddress], None],
        lost: Callable[[RelayedAddress], None],
        settled: Callable[[], None],
        failed: Callable[[str, str], None],
        timing: TurnTiming = DEFAULT_TIMING,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._bases = bases
        self._rng = rng
        self._look_up = look_up
        self._found = found
        self._lost = lost
        self._settled = settled
        self._failed = failed
        self._timing = timing
        self._tls = tls
        self._servers: dict[tuple[IceUri, ...], list[_Server]] = {}
        self._new: list[_Server] = []
        self._has_new = trio.Event()
        self._former_ignored = self._former_dropped = 0

    def __bool__(self) -> bool:
        """Whether any server was named."""
        return bool(self._servers)

    @property
    def addresses(self) -> tuple[RelayedAddress, ...]:
        """Those that are lent now."""
        return tuple(server.lent for server in self._each() if server.lent is not None)

    @property
    def failures(self) -> dict[str, str]:
        """What is wrong with servers at present, by what they are called."""
        return {server.label: server.failure for server in self._each() if server.failure}

    def why_none(self) -> str:
        """In words, where no address is lent and that is the fault of servers; else nothing."""
        return "" if self.addresses else "; ".join(f"{server} {reason}" for server, reason in self.failures.items())

    @property
    def is_settled(self) -> bool:
        """Whether nothing is to be waited for."""
        return all(server.is_settled for server in self._each())

    @property
    def ignored_datagrams(self) -> int:
        """From servers: see ``Allocation``."""
        return self._former_ignored + sum(relay.ignored_datagrams for relay in self._running())

    @property
    def dropped_datagrams(self) -> int:
        """Of calls: see ``Relay``."""
        return self._former_dropped + sum(relay.dropped_datagrams for relay in self._running())

    def use(self, server: IceServer) -> bool:
        """Get an address of this server as well, if it is one for TURN; says whether it was not known before."""
        ways = tuple(uri for uri in map(parse_ice_uri, server.urls) if uri.scheme == "turn" or is_over_tls(uri))
        if not ways:
            return False
        credentials = LongTermCredentials(server.username or "", server.credential or "")
        if (known := self._servers.get(ways)) is not None:
            for one in known:
                if one.credentials != credentials:
                    one.credentials = credentials
                    one.wake.set()
            return False
        if len(self._servers) >= MAX_RELAYS and not self._give_up_one():
            return False
        added = [_Server(ways, family, credentials) for family in self._families_of(ways)]
        added[0].is_first = True
        self._servers[ways] = added
        self._new += added
        self._has_new.set()
        return True

    def move_to(self, bases: Sequence[Address]) -> None:
        """Have other addresses lent, from these sockets: those before have no way to the servers any more."""
        self._bases = bases
        for ways, servers in self._servers.items():
            known = {one.family for one in servers}
            new = [_Server(ways, one, servers[0].credentials) for one in self._families_of(ways) if one not in known]
            servers += new
            self._new += new
        self._has_new.set()
        for server in self._each():
            server.is_settled = False
            server.sockets.clear()
            server.wake.set()
            for attempt in server.attempts:
                attempt.scope.cancel()

    def doubt(self, address: Address) -> None:
        """See ``Relay.doubt``; for addresses that are lent."""
        for server in self._each():
            if server.lent is not None and server.lent.address == address:
                self._doubt(server)

    def look_after(self) -> None:
        """A call begins, that is told the addresses which are lent: see whether they are of any use still."""
        for server in self._each():
            self._doubt(server, SILENCE)

    @staticmethod
    def _doubt(server: _Server, silence: float = 0.0) -> None:
        if server.lends_by is not None and server.lends_by.relay is not None:
            server.lends_by.relay.doubt(silence)

    async def run(self) -> None:
        """Keep an address of each server, until cancelled."""
        async with trio.open_nursery() as nursery:
            while True:
                await self._has_new.wait()
                self._has_new = trio.Event()
                new, self._new = self._new, []
                for server in new:
                    nursery.start_soon(self._keep, server)

    def _give_up_one(self) -> bool:
        """The first that lends nothing though all was tried."""
        for ways, servers in self._servers.items():
            if all(server.is_settled and server.lent is None for server in servers):
                for server in servers:
                    server.scope.cancel()
                del self._servers[ways]
                return True
        return False

    def _families_of(self, ways: Iterable[IceUri]) -> list[Family]:
        """Those that sockets and URIs can have: what a name has is not known yet."""
        ips = [ip_of(way.host) for way in ways]
        ours = {family_of(base) for base in self._bases}
        theirs: set[Family] = {4, 6} if None in ips else {6 if ip.version == 6 else 4 for ip in ips if ip is not None}
        return sorted(ours & theirs) or sorted(theirs)[:1]

    def _each(self) -> Iterator[_Server]:
        return chain.from_iterable(self._servers.values())

    def _running(self) -> list[Relay]:
        return [one.relay for server in self._each() for one in server.attempts if one.relay is not None]

    async def _keep(self, server: _Server) -> None:
        with server.scope:
            while True:
                server.wake = trio.Event()
                await self._race(server)
                if server.retry >= RETRY:  # else calls have lost their relay, and wait
                    self._settle(server)
                with trio.move_on_after(server.retry):
                    await server.wake.wait()
                server.retry = min(REST, max(RETRY_LOST, 2 * server.retry))

    async def _race(self, server: _Server) -> None:
        """Whichever way has an address first, for as long as that works."""
        async with trio.open_nursery() as nursery:
            for way in server.ways:
                attempt = _Attempt()
                server.attempts.append(attempt)
                nursery.start_soon(self._attempt, server, way, attempt)
                with trio.move_on_after(HEAD_START):
                    await attempt.is_over.wait()
                if server.lent is not None:
                    break

    async def _attempt(self, server: _Server, way: IceUri, attempt: _Attempt) -> None:
        try:
            with attempt.scope:
                await self._try(server, way, attempt)
        except BaseException as error:
            stop(error, partial(self._tell, server, way))
        finally:
            attempt.is_over.set()
            server.attempts.remove(attempt)

    async def _try(self, server: _Server, way: IceUri, attempt: _Attempt) -> None:
        """Relay by this way for as long as that works."""
        found = await self._look_up(way.host, way.port)
        reachable = [(address, base) for address in found if (base := self._base_for(address)) is not None]
        ways = [one for one in reachable if family_of(one[0]) == server.family]
        if all(family_of(base) != server.family for base in self._bases):  # we have moved; see RFC 8656 §7.1
            ways = [(address, self._apart(server, base)) for address, base in reachable]
        failed = Failed(why_unreachable(found))
        for address, base in ways:
            failed = await self._relay(server, way, attempt, address, base)
            if way_of(way) == "udp" and self._may_be_another(server, attempt, failed, base):
                failed = await self._relay(server, way, attempt, address, base)
        if ways or (server.is_first and not reachable):
            self._tell(server, way, failed)

    async def _relay(self, server: _Server, way: IceUri, attempt: _Attempt, address: Address, base: Address) -> Failed:
        credentials = server.credentials  # newer ones may come meanwhile
        relay = attempt.relay = Relay(
            RelayServer(way.host, address, way_of(way), credentials),
            self._endpoint,
            server.sockets[-1] if server.sockets else base,
            rng=self._rng,
            told=partial(self._note, server, way, attempt),
            timing=self._timing,
            tls=self._tls,
            family=server.family,
        )
        try:
            return why_failed(await relay.run(), credentials)
        finally:
            self._former_ignored += relay.ignored_datagrams
            self._former_dropped += relay.dropped_datagrams
            attempt.relay = None
            if server.lends_by is attempt:
                self._end(server)

    def _may_be_another(self, server: _Server, attempt: _Attempt, failed: Failed, base: Address) -> bool:
        """RFC 8656 §7.4: come from another address, if the server takes this one for somebody else's.

        It may be our own, from before credentials were renewed: coturn keeps the user name to which one belongs.
        """
        if failed.code != ALLOCATION_MISMATCH or attempt.has_lent or len(server.sockets) >= MAX_SOCKETS:
            return False
        try:
            server.sockets.append(self._endpoint.bind_another(base.host, for_calls=False))
        except ConfigurationError:
            return False
        return True

    def _apart(self, server: _Server, base: Address) -> Address:
        """Beside the relay of the socket's own family, which has that on each server (RFC 8656 §7.2)."""
        if not server.sockets:
            with suppress(ConfigurationError):
                server.sockets.append(self._endpoint.bind_another(base.host, for_calls=False))
        return base

    def _base_for(self, server: Address) -> Address | None:
        """A socket of the server's family."""
        return next((base for base in self._bases if family_of(base) == family_of(server)), None)

    def _note(self, server: _Server, way: IceUri, attempt: _Attempt, allocated: Allocated) -> None:
        if server.lent is not None:
            return  # another way was faster, and this one is being left
        for other in server.attempts:
            if other is not attempt:
                other.scope.cancel()
        attempt.is_over.set()
        server.lends_by, attempt.has_lent = attempt, True
        logger.info("TURN server %s lends %s:%d", way.host, *allocated.relayed)
        server.lent = RelayedAddress(allocated.relayed, allocated.mapped, way.host)
        server.lent_at = trio.current_time()
        server.failure, server.retry = "", RETRY
        self._found(server.lent)
        self._settle(server)

    def _end(self, server: _Server) -> None:
        """It lends nothing any more."""
        lost, server.lent, server.lends_by = server.lent, None, None
        if lost is not None:
            server.is_settled = False
            if trio.current_time() - server.lent_at > RETRY:
                server.short_leases, server.retry = 0, 0.0
            else:
                server.short_leases = min(10, server.short_leases + 1)
                server.retry = min(REST, RETRY_LOST * 2**server.short_leases)
            self._lost(lost)

    def _settle(self, server: _Server) -> None:
        server.is_settled = True
        self._settled()

    def _tell(self, server: _Server, way: IceUri, failure: Failed | BaseException) -> None:
        """Once for an outage, by the way that was tried first; and once more if the server is there, and refuses."""
        reason, code = (failure.reason, failure.code) if isinstance(failure, Failed) else (type(failure).__name__, None)
        if not server.failure or (code is not None and not server.has_refused):
            server.has_refused = code is not None
            is_other = server.family == 6 and ip_of(way.host) is None
            server.label = f"TURN server {way.host}" + (" by IPv6" if is_other else "")
            server.failure = f"lends no address over {way_of(way)}: {reason}"
            logger.warning("%s %s", server.label, server.failure)
            self._failed(server.label, server.failure)
