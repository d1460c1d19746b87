"""Gathers for all calls of an endpoint: names are looked up and servers asked in the background, and nobody waits.

What was found goes into the next answers; a call that was answered before is told until there is no more to wait for.
Why it is one for all calls: docs/design/gathering.md.
"""

import logging
import math
import random
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final, Protocol

import trio

from glottis.contracts.ice_servers import IceServer, parse_ice_uri
from glottis.ice import GatheringTiming, ReflexiveAddress, ReflexiveGatherer, ServerFailed
from glottis.media.driver import Endpoint
from glottis.media.relay import RelayEndpoint
from glottis.media.relays import RelayedAddress, Relays
from glottis.wire.address import Address, Path, ip_of

logger = logging.getLogger(__name__)

MAX_NAMES: Final = 8
"""Servers by name and port; beyond, the one named longest ago is forgotten."""
PATIENCE: Final = 5.0
"""Seconds from the last new server until calls are told that there is no more to come. What comes later is for later
calls."""
PATIENCE_AFTER_LOSS: Final = 15.0
"""The same from the loss of a relay, without which a call may have no way at all."""
LOOK_UP_TIME: Final = 5.0
"""Seconds for the name of a server to be looked up."""
LOOK_UP_AGAIN: Final = 3600.0
"""Seconds between looks at a name: servers move."""
LOOK_UP_RETRY: Final = 30.0
"""The same after a failure."""

Name = tuple[str, int]
LookUp = Callable[[str, int], Awaitable[list[Address]]]


GatheredAddress = ReflexiveAddress | RelayedAddress


class Follower(Protocol):
    """A call that wants to be told. Nothing raises."""

    def found(self, found: GatheredAddress) -> None:
        """One more."""

    def failed(self, server: str, reason: str) -> None:
        """One of the servers is of no use at present; ``server`` says of which kind, too."""

    def gathered(self) -> None:
        """There are no more to wait for. After this only relays are told of, and what is found on another network."""

    def lost(self, lost: RelayedAddress) -> None:
        """It is of no use any more. Another one may be found, and ``gathered`` is told once more."""


class GatheringEndpoint(Endpoint, RelayEndpoint, Protocol):
    """What gathering needs of a ``UdpEndpoint``."""


class Gathering:
    """Owned by the gateway; ``run`` works until cancelled. ``look_up`` gives the addresses of a host and port."""

    def __init__(
        self,
        endpoint: GatheringEndpoint,
        bases: Sequence[Address],
        *,
        rng: random.Random,
        timing: GatheringTiming | None = None,
        look_up: LookUp | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._gatherer = ReflexiveGatherer(bases, rng=rng, timing=timing or GatheringTiming())
        self._look_up = look_up or look_up_address
        self.relays = Relays(
            endpoint,
            bases,
            rng=rng,
            look_up=self._look_up,
            found=self._tell_relayed,
            lost=self._tell_lost,
            settled=lambda: self._sleep.cancel(),
            failed=self._tell_failed,
            tls=tls,
        )
        self._names: dict[Name, trio.CancelScope] = {}
        """The one named longest ago first, with what ends looking for it."""
        self._new: list[tuple[Name, trio.CancelScope]] = []
        self._unknown: set[Name] = set()
        """Those that were not looked up once."""
        self._followers: dict[Follower, None] = {}
        """Those that wait for more."""
        self._content: dict[Follower, None] = {}
        """Those that do not."""
        self._patient_until = -math.inf
        self._sleep = trio.CancelScope()
        self._refused = 0
        self._failures: dict[str, str] = {}
        """What is wrong with STUN servers at present."""

    @property
    def answers_ignored(self) -> int:
        """Answers of servers, or of who pretends to be one, that were of no use."""
        return self._gatherer.answers_ignored + self._refused

    def use(self, servers: Iterable[IceServer]) -> None:
        """Ask these, too, as far as they speak STUN over UDP or TURN; at once, and never for long."""
        for server in servers:
            if self.relays.use(server):
                self._be_patient()
            for uri in map(parse_ice_uri, server.urls):
                if uri.scheme == "stun":
                    self._use((uri.host, uri.port))

    def move_to(self, base: Address) -> None:
        """This machine has come to another network, and has this address there: ask all anew from it."""
        if not self._names and not self.relays:
            return
        self._gatherer.move_to([base], trio.current_time())
        self.relays.move_to([base])
        self._wait_anew()

    def introduce(self, follower: Follower) -> None:
        """Tell what is known, and what will be, unless the follower leaves before."""
        for reflexive in self._gatherer.addresses:
            follower.found(reflexive)
        for relayed in self.relays.addresses:
            follower.found(relayed)
        self.relays.look_after()
        for server, reason in (*self._failures.items(), *self.relays.failures.items()):
            follower.failed(server, reason)
        if not self._names and not self.relays:
            return  # it was never begun to gather
        if self._is_settled:
            self._content[follower] = None
            follower.gathered()
        else:
            self._followers[follower] = None

    def leave(self, follower: Follower) -> None:
        """It is told no more."""
        self._followers.pop(follower, None)
        self._content.pop(follower, None)

    async def run(self) -> None:
        """Look up, ask and tell, until cancelled."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.relays.run)
                while True:
                    with trio.CancelScope() as self._sleep:  # whatever happens from now on cuts it short
                        new, self._new = self._new, []
                        for name, scope in new:
                            nursery.start_soon(self._keep_looking_up, name, scope)
                        self._sleep.deadline = self._turn()
                        await trio.sleep_forever()
        finally:
            self._endpoint.remove(self)

    # The socket calls these

    def receive(self, data: bytes, path: Path) -> None:
        """See ``demultiplexer.Receiver``."""
        self._gatherer.handle_datagram(data, path, trio.current_time())
        self._sleep.cancel()

    def refuse(self) -> None:
        """See ``demultiplexer.Receiver``."""
        self._refused += 1

    def send_failed(self, error: Exception) -> None:
        """See ``link.Sender``: as good as an unanswered request."""
        logger.debug("a request to a STUN server could not leave: %s", error)

    def _use(self, name: Name) -> None:
        if (scope := self._names.pop(name, None)) is None:
            scope = trio.CancelScope()
            self._new.append((name, scope))
            self._unknown.add(name)
            self._be_patient()
        self._names[name] = scope
        if len(self._names) > MAX_NAMES:
            self._forget(next(iter(self._names)))

    def _be_patient(self, seconds: float = PATIENCE) -> None:
        self._patient_until = trio.current_time() + seconds
        self._sleep.cancel()

    def _tell_failed(self, server: str, reason: str) -> None:
        for follower in list(self._followers):
            follower.failed(server, reason)

    def _complain(self, server: str, reason: str) -> None:
        logger.warning("%s %s", server, reason)
        self._failures[server] = reason
        self._tell_failed(server, reason)

    def _tell_relayed(self, address: RelayedAddress) -> None:
        for follower in [*self._followers, *self._content]:
            follower.found(address)

    def _wait_anew(self) -> None:
        self._followers |= self._content
        self._content.clear()
        self._be_patient(PATIENCE_AFTER_LOSS)

    def _tell_lost(self, address: RelayedAddress) -> None:
        self._wait_anew()
        for follower in list(self._followers):
            follower.lost(address)

    def _forget(self, name: Name) -> None:
        self._names.pop(name).cancel()
        self._unknown.discard(name)
        self._forget_failures(_label(name))
        self._gatherer.set_servers(_label(name), [], trio.current_time())

    def _forget_failures(self, label: str) -> None:
        """Of one server, at whatever address."""
        start = f"STUN server {label}"
        self._failures = {server: why for server, why in self._failures.items() if server.split(" (")[0] != start}

    async def _keep_looking_up(self, name: Name, scope: trio.CancelScope) -> None:
        failing = False
        with scope:
            while True:
                await trio.lowlevel.checkpoint()  # it may be forgotten already
                addresses = await self._look_up(*name)
                self._unknown.discard(name)
                if addresses:
                    self._gatherer.set_servers(_label(name), addresses, trio.current_time())
                elif not failing:
                    self._complain(f"STUN server {_label(name)}", "has a name that cannot be looked up")
                failing = not addresses
                self._sleep.cancel()
                await trio.sleep(LOOK_UP_AGAIN if addresses else LOOK_UP_RETRY)

    def _turn(self) -> float:
        """Do what is due; returns when the next turn is."""
        self._gatherer.handle_timeout(trio.current_time())
        for datagram in self._gatherer.datagrams_to_send():
            self._endpoint.send(datagram, self)
        while (event := self._gatherer.next_event()) is not None:
            match event:
                case ReflexiveAddress(address, base, server):
                    self._forget_failures(server)
                    logger.info("%s is %s:%d for others, says STUN server %s", base.host, *address, server)
                    for follower in list(self._followers):
                        follower.found(event)
                case ServerFailed(server, reason):
                    self._complain(f"STUN server {server.name} ({server.address.host})", reason)
        if self._followers and self._is_settled:
            followers, self._followers = self._followers, {}
            self._content |= followers
            for follower in followers:
                follower.gathered()
        patient_until = self._patient_until if self._followers else math.inf
        return min(patient_until, math.inf if (moment := self._gatherer.next_timeout()) is None else moment)

    @property
    def _is_settled(self) -> bool:
        is_known = not self._unknown and self._gatherer.is_settled and self.relays.is_settled
        return is_known or trio.current_time() >= self._patient_until


def _label(name: Name) -> str:
    host, port = name
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


async def look_up_address(host: str, port: int) -> list[Address]:
    """The first IPv4 and the first IPv6 address of a host; none if there is none, or it takes too long."""
    if (ip := ip_of(host)) is not None:
        return [Address(str(ip), port)]
    found: dict[int, Address] = {}
    with trio.move_on_after(LOOK_UP_TIME):
        try:
            for family, _, _, _, address in await trio.socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM):
                found.setdefault(family, Address(str(address[0]), port))
        except (OSError, UnicodeError):
            pass
    return list(found.values())
