"""What a datagram costs that holds the worst of each kind of chunk together, to an association that is full."""

from collections.abc import Callable

import pytest
from glottis.wire.sctp import MAX_PACKET_LENGTH
from support.cost import OPERATIONS_PER_MS, operations
from support.sctp_attacker import Attacker

pytestmark = pytest.mark.slow


def fill_with_messages_out_of_turn(attacker: Attacker, streams: int) -> int:
    """All that is sent is outstanding, and all that came waits for an earlier message; how many are outstanding."""
    outstanding = attacker.leave_outstanding(8000)
    for number in range(2045):
        data = attacker.data(number, stream=number % streams, sequence=5 + number // streams)
        attacker.hit(attacker.packet(data))
    return outstanding


def skipping(attacker: Attacker, streams: int) -> bytes:
    return attacker.forward_tsn(8000, *[(stream, 4) for stream in range(streams)])


def later_data(attacker: Attacker, count: int) -> list[bytes]:
    return [attacker.data(8001 + number, stream=900, sequence=number) for number in range(count)]


def sack_forward_tsn_reset_and_data(attacker: Attacker) -> bytes:
    sack = attacker.sack(fill_with_messages_out_of_turn(attacker, streams=1))
    reset = attacker.reset(0, 0, last_ahead=8000)
    return attacker.packet(sack, skipping(attacker, 1), reset, *later_data(attacker, 65))


def sack_forward_tsn_on_many_streams_and_reset(attacker: Attacker) -> bytes:
    sack = attacker.sack(fill_with_messages_out_of_turn(attacker, streams=340))
    return attacker.packet(sack, skipping(attacker, 340), attacker.reset(0, last_ahead=8000))


def sack_forward_tsn_and_data_on_many_streams(attacker: Attacker) -> bytes:
    sack = attacker.sack(fill_with_messages_out_of_turn(attacker, streams=128))
    return attacker.packet(sack, skipping(attacker, 128), *later_data(attacker, 42))


def gaps_forward_tsn_reset_and_data(attacker: Attacker) -> bytes:
    count = fill_with_messages_out_of_turn(attacker, streams=128)
    reset = attacker.reset(0, last_ahead=8000)
    return attacker.packet(attacker.sack(0, (2, count)), skipping(attacker, 128), reset, *later_data(attacker, 38))


def gaps_and_data_in_scattered_gaps(attacker: Attacker) -> bytes:
    count = attacker.leave_outstanding(8000)
    for number in range(2045):
        attacker.hit(attacker.packet(attacker.data(2 * number + 2, stream=3000)))
    data = [attacker.data(4 * number + 501, stream=3000) for number in range(68)]
    return attacker.packet(attacker.sack(0, (2, count)), *data)


def losses_forward_tsn_of_fragments_reset_and_data(attacker: Attacker) -> bytes:
    count = attacker.leave_outstanding(8000)
    for number in range(2045):
        attacker.hit(attacker.packet(attacker.data(2 * number + 2, flags=0)))
    for last in (count - 2, count - 1):
        attacker.hit(attacker.packet(attacker.sack(0, (last, last))))
    reset = attacker.reset(0, last_ahead=8190)
    data = [attacker.data(8191 + number, stream=5, sequence=number) for number in range(65)]
    return attacker.packet(attacker.sack(0, (count, count)), attacker.forward_tsn(8190), reset, *data)


@pytest.mark.parametrize(
    "attack",
    [
        sack_forward_tsn_reset_and_data,
        sack_forward_tsn_on_many_streams_and_reset,
        sack_forward_tsn_and_data_on_many_streams,
        gaps_forward_tsn_reset_and_data,
        gaps_and_data_in_scattered_gaps,
        losses_forward_tsn_of_fragments_reset_and_data,
    ],
    ids=lambda attack: attack.__name__,
)
def test_a_packet_of_the_worst_of_each_kind_costs_little_and_so_does_each_turn_after_it(
    attacker: Attacker, attack: Callable[[Attacker], bytes]
) -> None:
    datagram = attack(attacker)
    assert len(datagram) <= MAX_PACKET_LENGTH
    assert operations(attacker.hit, datagram) < OPERATIONS_PER_MS
    now, engine = attacker.pair.now, attacker.engine

    def turn() -> None:
        engine.handle_timeout(now)
        engine.datagrams_to_send()
        engine.next_event()

    while (engine.next_timeout() or now + 1) <= now:
        assert operations(turn) < OPERATIONS_PER_MS
