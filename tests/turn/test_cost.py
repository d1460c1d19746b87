"""What a message of the server costs an allocation that holds as much as it ever does."""

import random

import pytest
from glottis.turn import Allocation
from glottis.turn.peers import CHANNEL_AFTER, MAX_CHANNELS, MAX_PERMISSIONS
from glottis.wire.address import Address, Path
from glottis.wire.channel_data import build_channel_data
from glottis.wire.stun import Attribute, MessageClass, build_stun
from support.cost import OPERATIONS_PER_MS, operations
from support.turn_server import ALLOCATE, TurnServer, data_indication
from turn.conftest import CLIENT, CREDENTIALS, RELAY, SERVER

pytestmark = pytest.mark.slow


def peer_of(number: int) -> Address:
    return Address(f"10.0.{number >> 8}.{number & 255}", 4000)


def exchange(client: Allocation, server: TurnServer, now: float) -> None:
    while outgoing := client.datagrams_to_send():
        for data in outgoing:
            server.handle_datagram(data, Path(SERVER, CLIENT), now)
        for data, path in server.datagrams_to_send():
            if path.remote == CLIENT:
                client.handle_datagram(data, now)


@pytest.fixture(scope="module")
def full() -> Allocation:
    """All permissions and channels that there may be, each in use."""
    server = TurnServer(SERVER, RELAY)
    client = Allocation(SERVER, CREDENTIALS, rng=random.Random(1))
    client.start(0.0)
    exchange(client, server, 0.0)
    for number in range(MAX_PERMISSIONS):
        client.send(b"hello", peer_of(number), 0.0)
        exchange(client, server, 0.0)
    for number in range(MAX_CHANNELS):
        for _ in range(CHANNEL_AFTER):
            client.send(b"hello", peer_of(number), 0.0)
        exchange(client, server, 0.0)
    assert len(server.leases[CLIENT].channels) == MAX_CHANNELS
    while client.next_event() is not None:
        pass
    return client


MESSAGES = {
    "data by a channel": build_channel_data(0x4000, bytes(1400)),
    "data by no channel": build_channel_data(0x4FFF, bytes(1400)),
    "data of a peer": data_indication(bytes(1400), peer_of(7)),
    "data of a stranger": data_indication(b"", Address("203.0.113.66", 1)),
    "a response to nothing": build_stun(MessageClass.SUCCESS, bytes(12), [], method=ALLOCATE, key=b"key"),
    "empty attributes": build_stun(MessageClass.ERROR, bytes(12), [(Attribute.SOFTWARE, b"")] * 500, method=ALLOCATE),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_message_costs_little_however_much_is_held(full: Allocation, name: str) -> None:
    fresh = Allocation(SERVER, CREDENTIALS, rng=random.Random(1))
    fresh.start(0.0)
    cost = operations(full.handle_datagram, MESSAGES[name], 1.0)
    assert cost <= OPERATIONS_PER_MS / 10
    assert cost <= 2 * operations(fresh.handle_datagram, MESSAGES[name], 1.0) + 300
    assert operations(full.next_event) <= 100
    assert operations(full.next_timeout) <= 200


def test_datagram_to_a_peer_costs_little(full: Allocation) -> None:
    for peer in (peer_of(0), peer_of(MAX_PERMISSIONS - 1), Address("203.0.113.9", 1), Address("2001:db8::1", 1)):
        assert operations(full.send, b"hello", peer, 1.0) <= OPERATIONS_PER_MS / 50
        assert operations(full.datagrams_to_send) <= 200


def test_all_that_is_to_be_renewed_at_once_is_renewed_bit_by_bit(full: Allocation) -> None:
    now, turns = 541.0, 0
    while (moment := full.next_timeout()) is not None and moment <= now:
        assert operations(full.handle_timeout, now) <= 2 * OPERATIONS_PER_MS
        full.datagrams_to_send()
        turns += 1
    assert turns > 10
