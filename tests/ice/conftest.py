"""Agents on a virtual network, and their tools, given to the tests as fixtures."""

import random
from collections.abc import Callable, Iterable
from itertools import count
from typing import Any

import pytest
from glottis.ice import IceAgent, IceEvent, IceState, PathAuthenticated, SelectedPathChanged, StateChanged
from glottis.sdp.candidate import Candidate
from glottis.testing.impairments import PERFECT, Impairments
from glottis.testing.nat import Nat
from glottis.testing.virtual_network import VirtualNetwork
from glottis.wire.address import Address, Datagram, Path
from glottis.wire.stun import Attribute, MessageClass, build_stun

CALLER = Address("192.0.2.1", 50001)
GATEWAY = Address("198.51.100.7", 50002)
UP = (IceState.CONNECTED, IceState.COMPLETED)
_transaction_ids = (number.to_bytes(12) for number in count())


class Peer:
    """An agent, attached to the network as it is, with all events that it has given."""

    def __init__(self, agent: IceAgent) -> None:
        self.agent = agent
        self.events: list[IceEvent] = []
        self.sent: list[Datagram] = []
        self.deaf = False

    def handle_datagram(self, data: bytes, path: Path, now: float) -> None:
        if not self.deaf:
            self.agent.handle_datagram(data, path, now)
        self._collect()

    def handle_timeout(self, now: float) -> None:
        self.agent.handle_timeout(now)
        self._collect()

    def datagrams_to_send(self) -> Iterable[Datagram]:
        self._collect()
        datagrams = self.agent.datagrams_to_send()
        self.sent += datagrams
        return [] if self.deaf else datagrams

    def next_timeout(self) -> float | None:
        return self.agent.next_timeout()

    def _collect(self) -> None:
        while (event := self.agent.next_event()) is not None:
            self.events.append(event)

    @property
    def states(self) -> list[IceState]:
        return [event.state for event in self.events if isinstance(event, StateChanged)]

    @property
    def authenticated(self) -> list[Path]:
        return list(dict.fromkeys(event.path for event in self.events if isinstance(event, PathAuthenticated)))

    @property
    def selected(self) -> list[Path]:
        return [event.path for event in self.events if isinstance(event, SelectedPathChanged)]

    @property
    def is_up(self) -> bool:
        return self.agent.state in UP

    @property
    def is_nominated(self) -> bool:
        pair = self.agent.selected_pair
        return pair is not None and pair.nominated


class Call:
    """Two peers and their network. The caller is controlling and the gateway controlled unless told otherwise."""

    def __init__(
        self,
        *,
        seed: int = 0,
        impairments: Impairments = PERFECT,
        caller: dict[str, Any] | None = None,
        gateway: dict[str, Any] | None = None,
        caller_addresses: Iterable[Address] = (CALLER,),
        gateway_addresses: Iterable[Address] = (GATEWAY,),
        nat: dict[Address, Address] | None = None,
    ) -> None:
        self.network = VirtualNetwork(seed, impairments)
        self.caller = Peer(IceAgent(**{"controlling": True, "rng": random.Random(seed), **(caller or {})}))
        self.gateway = Peer(IceAgent(**{"controlling": False, "rng": random.Random(seed + 1), **(gateway or {})}))
        self.nat = Nat(self.caller, nat) if nat is not None else None
        for address in caller_addresses:
            self.caller.agent.add_local_candidate(address)
        for address in gateway_addresses:
            self.gateway.agent.add_local_candidate(address)
        if self.nat is not None and nat is not None:
            self.network.attach(self.nat, *nat.values())
        else:
            self.network.attach(self.caller, *caller_addresses)
        self.network.attach(self.gateway, *gateway_addresses)

    @property
    def now(self) -> float:
        return self.network.now

    def exchange_parameters(self) -> None:
        for one, other in ((self.gateway, self.caller), (self.caller, self.gateway)):
            agent = other.agent
            one.agent.set_remote_parameters(agent.local_ufrag, agent.local_pwd, lite=agent.lite, now=self.now)

    def signal_candidates(self, *, of_caller: bool = True, of_gateway: bool = True, end: bool = True) -> None:
        for wanted, one, other in ((of_caller, self.caller, self.gateway), (of_gateway, self.gateway, self.caller)):
            for candidate in one.agent.local_candidates if wanted else ():
                other.agent.add_remote_candidates([candidate], self.now)
            if end:
                other.agent.end_of_candidates(self.now)

    def start(self) -> None:
        self.exchange_parameters()
        self.signal_candidates()

    def is_up(self) -> bool:
        return self.caller.is_up and self.gateway.is_up

    def is_nominated(self) -> bool:
        return self.is_up() and self.caller.is_nominated and self.gateway.is_nominated

    def run(self, seconds: float) -> None:
        self.network.run(seconds=seconds)

    def connect(self, seconds: float = 15.0) -> None:
        self.start()
        assert self.network.run(self.is_nominated, seconds=seconds), (self.caller.events, self.gateway.events)


def _candidate(address: str, port: int = 40000, **changes: Any) -> Candidate:
    values: dict[str, Any] = {
        "foundation": address.replace(":", "+").replace(".", "/")[:32],
        "component": 1,
        "transport": "udp",
        "priority": 2122260223,
        "address": address,
        "port": port,
        "type": "host",
    }
    return Candidate(**{**values, **changes})


def _check(
    agent: IceAgent,
    *attributes: tuple[int, bytes],
    key: bytes | None = None,
    transaction_id: bytes | None = None,
    **changes: Any,
) -> bytes:
    """A check to ``agent`` as its controlling peer ``peer`` sends it; an attribute given as None is left out."""
    values: dict[Attribute, bytes | None] = {
        Attribute.USERNAME: f"{agent.local_ufrag}:peer".encode(),
        Attribute.PRIORITY: (110 << 24 | 0xFFFFFF).to_bytes(4),
        Attribute.ICE_CONTROLLING: bytes(8),
    }
    values |= {Attribute[name.upper()]: value for name, value in changes.items()}
    kept = [(attribute, value) for attribute, value in values.items() if value is not None]
    key = agent.local_pwd.encode() if key is None else key
    transaction_id = next(_transaction_ids) if transaction_id is None else transaction_id
    return build_stun(MessageClass.REQUEST, transaction_id, [*kept, *attributes], key=key)


@pytest.fixture
def make_agent() -> Callable[..., IceAgent]:
    """A gateway's agent that knows its peer's parameters; nothing has come by any path yet."""

    def make(*local: Address, **options: Any) -> IceAgent:
        agent = IceAgent(**{"controlling": False, "rng": random.Random(8445), **options})
        for address in local or (GATEWAY,):
            agent.add_local_candidate(address)
        agent.set_remote_parameters("peer", "the peer's password, long", now=0.0)
        return agent

    return make


@pytest.fixture
def make_check() -> Callable[..., bytes]:
    return _check


@pytest.fixture
def make_call() -> type[Call]:
    return Call


@pytest.fixture
def make_candidate() -> Callable[..., Candidate]:
    return _candidate
