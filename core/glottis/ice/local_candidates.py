"""The agent's own candidates: where datagrams leave from, and what the peer is told (RFC 8445 §5.1)."""

from collections.abc import Mapping, Sequence
from typing import Literal

from msgspec.structs import replace

from glottis.ice.pair import can_meet
from glottis.ice.policy import ProbePolicy
from glottis.sdp.candidate import Candidate, candidate_foundation, candidate_priority, tcp_candidate_priority
from glottis.wire.address import Address, Transport


class LocalCandidates:
    """Of one generation, whose ``ufrag`` they carry."""

    def __init__(self, ufrag: str) -> None:
        self.bases: dict[Address, Candidate] = {}
        """Those that datagrams leave from: the bases of all others."""
        self.announced: dict[Address, Candidate] = {}
        """Those that the peer is told, bases or not."""
        self.streams: dict[Address, Candidate] = {}
        """Bases over TCP (RFC 6544), which may have the addresses of others."""
        self.announced_streams: dict[Address, Candidate] = {}
        """Of those, what the peer is told."""
        self._ufrag = ufrag
        self._preference = 65535

    def successor(self, ufrag: str) -> "LocalCandidates":
        """The same ones in another generation."""
        candidates = LocalCandidates(ufrag)
        for ours, theirs in (
            (self.bases, candidates.bases),
            (self.announced, candidates.announced),
            (self.streams, candidates.streams),
            (self.announced_streams, candidates.announced_streams),
        ):
            theirs.update((at, replace(one, username_fragment=ufrag)) for at, one in ours.items())
        candidates._preference = self._preference
        return candidates

    @property
    def all_bases(self) -> tuple[Candidate, ...]:
        """What pairs are made of."""
        return (*self.bases.values(), *self.streams.values())

    def bases_of(self, transport: Transport) -> Mapping[Address, Candidate]:
        """Those whose paths have this transport; relays are among the sockets."""
        return self.streams if transport == "tcp" else self.bases

    def seen_of(self, transport: Transport) -> Mapping[Address, Candidate]:
        """Those that the peer may see us by."""
        return self.streams if transport == "tcp" else {**self.bases, **self.announced}

    def can_pair(self, policy: ProbePolicy, remote: Candidate) -> bool:
        """Whether one of them may check a remote candidate; where we are ourselves, nobody else can be."""
        bases = self.streams if remote.transport == "tcp" else self.bases
        address = remote.address, remote.port
        if address in bases or address in self.announced:
            return False
        return policy.permits_any((address for address, ours in bases.items() if can_meet(ours, remote)), remote)

    def knows(self, address: Address) -> bool:
        """Whether another candidate of this address would be redundant (RFC 8445 §5.1.3)."""
        return address in self.bases or address in self.announced

    def add_host(self, address: Address, announced: Sequence[Address]) -> Candidate:
        """A new base, which the peer knows by these addresses."""
        candidate = self._make("host", address, address.host)
        self.bases[address] = candidate
        for alias in announced:
            self.announced[alias] = candidate if alias == address else self._make("host", alias, address.host)
        return candidate

    def add_stream(
        self, address: Address, tcp_type: Literal["active", "passive"], announced: Sequence[Address]
    ) -> Candidate:
        """A new base over TCP, which the peer knows by these addresses."""
        candidate = self._make_stream(address, address.host, tcp_type)
        self.streams[address] = candidate
        for alias in announced:
            self.announced_streams[alias] = self._make_stream(alias, address.host, tcp_type)
        return candidate

    def _make_stream(self, address: Address, base_host: str, tcp_type: str) -> Candidate:
        return Candidate(
            foundation=candidate_foundation("host", base_host, "tcp"),
            component=1,
            transport="tcp",
            priority=tcp_candidate_priority(tcp_type, 8191 - len(self.announced_streams)),
            address=address.host,
            port=address.port,
            type="host",
            tcp_type=tcp_type,
            username_fragment=self._ufrag,
        )

    def add_reflexive(self, address: Address, *, base: Address, server: str) -> Candidate:
        """What ``server`` has seen of ``base``."""
        candidate = self._related(self._make("srflx", address, base.host, server), base)
        self.announced[address] = candidate
        return candidate

    def add_relayed(self, address: Address, *, mapped: Address | None, server: str) -> Candidate:
        """What ``server`` lends: a new base. It has seen ``mapped`` of us."""
        candidate = self._related(self._make("relay", address, address.host, server), mapped)
        self.bases[address] = self.announced[address] = candidate
        return candidate

    def remove(self, address: Address) -> bool:
        """A base is gone; says whether it was there."""
        self.announced.pop(address, None)
        return self.bases.pop(address, None) is not None

    def _related(self, candidate: Candidate, related: Address | None) -> Candidate:
        """What is not announced is not told as a related address either (RFC 8839 §5.1)."""
        if related is None or related not in self.announced:
            related = Address("::" if ":" in candidate.address else "0.0.0.0", 0)  # noqa: S104
        return replace(candidate, related_address=related.host, related_port=related.port)

    def _make(self, kind: str, address: Address, base_host: str, server: str = "") -> Candidate:
        """One with a priority of its own (RFC 8445 §5.1.2.1), lower than those of its type before it."""
        self._preference -= 1
        return Candidate(
            foundation=candidate_foundation(kind, base_host, server=server),
            component=1,
            transport="udp",
            priority=candidate_priority(kind, self._preference + 1),
            address=address.host,
            port=address.port,
            type=kind,
            username_fragment=self._ufrag,
        )
