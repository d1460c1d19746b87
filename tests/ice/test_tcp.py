"""Candidates over TCP (RFC 6544): who checks whom, and that UDP goes first."""

import random

import pytest
from glottis.ice import IceAgent, IceState
from glottis.sdp.candidate import DISCARD_PORT, Candidate, candidate_priority
from glottis.wire.address import Address, Path

CALLER, GATEWAY = Address("192.0.2.1", 5000), Address("198.51.100.7", 50002)
ACTIVE, CONNECTED_FROM = Address(CALLER.host, DISCARD_PORT), Address("192.0.2.1", 61234)


def agent(*, controlling: bool) -> IceAgent:
    return IceAgent(controlling=controlling, rng=random.Random(controlling))


class Scene:
    """A caller that connects, and a gateway that listens at the very address that it has for UDP."""

    def __init__(self) -> None:
        self.caller, self.gateway = agent(controlling=True), agent(controlling=False)
        self.caller.add_local_candidate(CALLER)
        self.caller.add_stream_candidate(ACTIVE, "active", announced=[])
        self.gateway.add_local_candidate(GATEWAY)
        self.gateway.add_stream_candidate(GATEWAY, "passive", announced=[GATEWAY])
        for one, other in ((self.caller, self.gateway), (self.gateway, self.caller)):
            one.set_remote_parameters(other.local_ufrag, other.local_pwd, now=0.0)
            for candidate in other.local_candidates:
                one.add_remote_candidates([candidate], 0.0)

    def run(self, seconds: float, *, lets_udp_through: bool) -> None:
        for step in range(round(seconds * 100)):
            now = step / 100
            for one, other in ((self.caller, self.gateway), (self.gateway, self.caller)):
                one.handle_timeout(now)
                for data, path in one.datagrams_to_send():
                    if path.transport == "tcp":
                        other.handle_datagram(data, self._other_end(path), now)
                    elif lets_udp_through:
                        other.handle_datagram(data, Path(path.remote, path.local), now)

    @staticmethod
    def _other_end(path: Path) -> Path:
        return Path(GATEWAY, CONNECTED_FROM, "tcp") if path.local == ACTIVE else Path(ACTIVE, GATEWAY, "tcp")


def test_a_passive_candidate_is_told_after_those_of_udp() -> None:
    udp, tcp = Scene().gateway.local_candidates
    assert tcp.to_sdp().split(" ufrag ")[0].endswith(f"{GATEWAY.host} 50002 typ host tcptype passive")
    assert candidate_priority("relay") < tcp.priority < candidate_priority("srflx") < udp.priority
    assert tcp.foundation != udp.foundation


def test_a_caller_tells_nobody_of_its_active_candidate() -> None:
    [udp] = Scene().caller.local_candidates
    assert udp.transport == "udp"


@pytest.mark.parametrize("lets_udp_through", [True, False])
def test_a_call_goes_by_tcp_only_where_udp_does_not_work(lets_udp_through: bool) -> None:
    scene = Scene()
    scene.run(3, lets_udp_through=lets_udp_through)
    transport = "udp" if lets_udp_through else "tcp"
    for one in (scene.caller, scene.gateway):
        assert one.state in (IceState.CONNECTED, IceState.COMPLETED)
        assert one.selected_pair is not None
        assert one.selected_pair.nominated
        assert one.selected_pair.path.transport == transport


@pytest.mark.parametrize(("tcp_type", "port"), [("passive", 22), ("active", 5000), ("so", 5000)])
def test_a_caller_connects_to_nothing_but_listeners_on_open_ports(tcp_type: str, port: int) -> None:
    caller = Scene().caller
    assert not caller.can_pair(Candidate("1", 1, "tcp", 1, GATEWAY.host, port, "host", tcp_type=tcp_type))


def test_a_gateway_connects_nowhere() -> None:
    gateway = Scene().gateway
    assert not gateway.can_pair(Candidate("1", 1, "tcp", 1, CALLER.host, 5000, "host", tcp_type="passive"))
