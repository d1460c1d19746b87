"""What a datagram costs: as much as its bytes, and never more because of what is held.

Each attack prepares an association that holds ``held`` things and gives the datagram, of at most the 1,436 bytes that
are read, that made the most of them.
"""

from collections.abc import Callable

import pytest
from glottis.wire.sctp import (
    FIRST_FRAGMENT,
    MAX_PACKET_LENGTH,
    ChunkType,
    Parameter,
    encode_chunk,
    encode_packet,
    encode_parameters,
)
from glottis.wire.sctp_chunks import Init, ResetResponse, ResetResult
from support.cost import OPERATIONS_PER_MS, operations
from support.sctp_attacker import Attacker

pytestmark = pytest.mark.slow

MAX_OPERATIONS = OPERATIONS_PER_MS

Attack = Callable[[Attacker, int], bytes]


# Receiving


def many_bytes_of_data(attacker: Attacker, held: int) -> bytes:
    for number in range(held):
        attacker.hit(attacker.packet(attacker.data(number, stream=3, sequence=number)))
    return attacker.packet(*[attacker.data(held + number, stream=3, sequence=held + number) for number in range(71)])


def messages_on_an_open_channel(attacker: Attacker, held: int) -> bytes:
    attacker.open_channels(held)
    return attacker.packet(*[attacker.data(number, stream=2, sequence=1 + number) for number in range(71)])


def data_in_scattered_gaps(attacker: Attacker, held: int) -> bytes:
    for number in range(held):
        attacker.hit(attacker.packet(attacker.data(2 * number + 2, stream=3000)))
    return attacker.packet(*[attacker.data(4 * number + 501, stream=3000) for number in range(71)])


def duplicates(attacker: Attacker, held: int) -> bytes:
    for number in range(held):
        attacker.hit(attacker.packet(attacker.data(2 * number + 2)))
    return attacker.packet(*[attacker.data(2)] * 71)


def fragments_in_reverse(attacker: Attacker, held: int) -> bytes:
    for number in range(held):
        attacker.hit(attacker.packet(attacker.data(8100 - number, flags=0)))
    return attacker.packet(*[attacker.data(8100 - min(held, 2000) - number, flags=0) for number in range(71)])


def fragments_that_join_others(attacker: Attacker, held: int) -> bytes:
    for number in range(held):
        attacker.hit(attacker.packet(attacker.data(2 * number, flags=0)))
    return attacker.packet(*[attacker.data(2 * number + 1, flags=0) for number in range(71)])


def opens(attacker: Attacker, held: int) -> bytes:
    attacker.open_channels(min(held, 512))
    return attacker.packet(*[attacker.open(number, 512 + number) for number in range(50)])


def forward_tsn_below_waiting_messages(attacker: Attacker, held: int) -> bytes:
    for number in range(held):
        attacker.hit(attacker.packet(attacker.data(number, stream=3, sequence=9 + number)))
    return attacker.packet(attacker.forward_tsn(8000, *[(3, number % 5) for number in range(351)]))


def forward_tsn_on_many_streams(attacker: Attacker, held: int) -> bytes:
    for number in range(held):
        attacker.hit(attacker.packet(attacker.data(number, stream=number % 351, sequence=5 + number // 351)))
    return attacker.packet(attacker.forward_tsn(8000, *[(number, 3) for number in range(351)]))


def forward_tsn_that_delivers_one_on_many_streams(attacker: Attacker, held: int) -> bytes:
    for number in range(held):
        sequence = 5 + 2 * (number // 351)
        attacker.hit(attacker.packet(attacker.data(number, stream=number % 351, sequence=sequence)))
    return attacker.packet(attacker.forward_tsn(8000, *[(number, 4) for number in range(351)]))


def forward_tsn_below_fragments(attacker: Attacker, held: int) -> bytes:
    for number in range(held):
        attacker.hit(attacker.packet(attacker.data(2 * number + 2, flags=0)))
    return attacker.packet(attacker.forward_tsn(0))


# Being acknowledged


def sacks_of_half_of_it(attacker: Attacker, held: int) -> bytes:
    count = attacker.leave_outstanding(held)
    attacker.hit(attacker.packet(attacker.sack(0, (count // 2, count))))
    attacker.settle()
    return attacker.packet(*[attacker.sack(0, (count // 2 + number % 2, count)) for number in range(63)])


def sack_that_takes_back(attacker: Attacker, held: int) -> bytes:
    count = attacker.leave_outstanding(held)
    attacker.hit(attacker.packet(attacker.sack(0, (2, count))))
    return attacker.packet(attacker.sack(0))


def sack_of_one_more_at_the_top(attacker: Attacker, held: int) -> bytes:
    count = attacker.leave_outstanding(held)
    attacker.hit(attacker.packet(attacker.sack(0, (count - 2, count - 2))))
    return attacker.packet(attacker.sack(0, (count - 2, count - 1)))


def sack_that_repeats_what_is_given_up(attacker: Attacker, held: int) -> bytes:
    attacker.leave_outstanding(held, max_retransmits=0)
    later = attacker.pair.now + 5
    while (attacker.engine.next_timeout() or later + 1) <= later:
        attacker.engine.handle_timeout(later)
        attacker.engine.datagrams_to_send()
    assert attacker.association._outbound._outstanding.first_is_given_up
    return attacker.packet(attacker.sack(0))


def shutdowns(attacker: Attacker, held: int) -> bytes:
    attacker.leave_outstanding(held)
    acknowledged = (attacker.association._outbound.cumulative_tsn & 0xFFFFFFFF).to_bytes(4, "big")
    return attacker.packet(*[encode_chunk(ChunkType.SHUTDOWN, acknowledged)] * 178)


def sack_while_we_shut_down(attacker: Attacker, held: int) -> bytes:
    attacker.open_channels(held)
    attacker.let_send(attacker.engine.table.get(0), 100)
    attacker.engine.shutdown(attacker.pair.now)
    return attacker.packet(attacker.sack(0, window=0))


# Streams


def resets_of_all_streams(attacker: Attacker, held: int) -> bytes:
    attacker.open_channels(held)
    return attacker.packet(*[attacker.reset(number) for number in range(63)])


def reset_of_each_stream(attacker: Attacker, held: int) -> bytes:
    attacker.open_channels(held)
    return attacker.packet(attacker.reset(0, *range(696)))


def resets_with_wrong_numbers(attacker: Attacker, held: int) -> bytes:
    attacker.open_channels(held)
    return attacker.packet(*[attacker.reset(1000 + number) for number in range(63)])


def sack_while_streams_wait_for_their_reset(attacker: Attacker, held: int) -> bytes:
    attacker.open_channels(held)
    attacker.hit(attacker.packet(attacker.sack(0, window=0)))
    for channel in attacker.engine.table:
        channel.send_bytes(b"x")
        channel.close()
    attacker.settle()
    return attacker.packet(attacker.sack(0, window=0))


def response_that_lets_messages_have_their_turn(attacker: Attacker, held: int) -> bytes:
    ours = attacker.accept_channel()
    ours.close()
    attacker.settle()
    request = attacker.association._reset._request
    for number in range(min(held, 1000)):  # each channel opens and closes on the same stream
        attacker.hit(attacker.packet(attacker.reset(number, ours.id)))
        attacker.hit(attacker.packet(attacker.open(0, ours.id)))
        attacker.next_tsn += 1
        attacker.settle()
    response = ResetResponse(request.request_sequence, ResetResult.PERFORMED).to_parameter()
    return attacker.packet(encode_chunk(ChunkType.RE_CONFIG, encode_parameters([response])))


# Chunks in great numbers


def init_with_many_parameters(attacker: Attacker, held: int) -> bytes:
    unknown = tuple(Parameter(0xC005 + number, b"") for number in range(350))
    chunk = encode_chunk(ChunkType.INIT, Init(5, 100_000, 10, 10, 7, unknown).encode())
    return encode_packet((5000, 5000, 0), [chunk])


def heartbeats(attacker: Attacker, held: int) -> bytes:
    return attacker.packet(*[encode_chunk(ChunkType.HEARTBEAT)] * 352)


def unknown_chunks(attacker: Attacker, held: int) -> bytes:
    return attacker.packet(*[encode_chunk(0xFF)] * 352)


def errors(attacker: Attacker, held: int) -> bytes:
    causes = encode_parameters([Parameter(9, b"")] * 352)
    return attacker.packet(encode_chunk(ChunkType.ERROR, causes))


def cookies(attacker: Attacker, held: int) -> bytes:
    return attacker.packet(*[encode_chunk(ChunkType.COOKIE_ECHO, bytes(80))] * 16)


INDEPENDENT: list[Attack] = [
    many_bytes_of_data,
    messages_on_an_open_channel,
    data_in_scattered_gaps,
    duplicates,
    fragments_in_reverse,
    fragments_that_join_others,
    opens,
    forward_tsn_below_waiting_messages,
    forward_tsn_on_many_streams,
    forward_tsn_that_delivers_one_on_many_streams,
    forward_tsn_below_fragments,
    sack_that_takes_back,
    sack_of_one_more_at_the_top,
    sack_that_repeats_what_is_given_up,
    shutdowns,
    sack_while_we_shut_down,
    reset_of_each_stream,
    resets_of_all_streams,
    resets_with_wrong_numbers,
    sack_while_streams_wait_for_their_reset,
    response_that_lets_messages_have_their_turn,
    sacks_of_half_of_it,
    init_with_many_parameters,
    heartbeats,
    unknown_chunks,
    errors,
    cookies,
]


@pytest.mark.parametrize("attack", INDEPENDENT, ids=lambda attack: attack.__name__)
def test_datagram_costs_no_more_when_more_is_held(make_attacker: Callable[[], Attacker], attack: Attack) -> None:
    costs = []
    for held in (80, 8000):
        attacker = make_attacker()
        datagram = attack(attacker, held)
        assert len(datagram) <= MAX_PACKET_LENGTH
        costs.append(operations(attacker.hit, datagram))
    assert max(costs) < MAX_OPERATIONS
    assert costs[1] <= 2 * costs[0] + 500, costs


# What passes over what is held, once


def data_that_fills_the_gap_before_all(attacker: Attacker, held: int) -> bytes:
    for number in range(held):
        attacker.hit(attacker.packet(attacker.data(number + 1, stream=3, sequence=number + 1)))
    return attacker.packet(attacker.data(0, stream=3))


def forward_tsn_that_delivers_all(attacker: Attacker, held: int) -> bytes:
    for number in range(held):
        attacker.hit(attacker.packet(attacker.data(number, stream=3, sequence=9 + number)))
    return attacker.packet(attacker.forward_tsn(8000, (3, 8)))


def forward_tsn_that_drops_all_fragments(attacker: Attacker, held: int) -> bytes:
    for number in range(held):
        attacker.hit(attacker.packet(attacker.data(2 * number + 2, flags=0)))
    return attacker.packet(attacker.forward_tsn(8190))


def reset_that_drops_all_messages(attacker: Attacker, held: int) -> bytes:
    for number in range(held):
        attacker.hit(attacker.packet(attacker.data(number, stream=3, sequence=9 + number)))
    return attacker.packet(attacker.reset(0, 3))


def fragment_that_completes_a_message(attacker: Attacker, held: int) -> bytes:
    for number in range(held):
        attacker.hit(attacker.packet(attacker.data(number + 1, flags=1 if number == 2000 else 0)))
    return attacker.packet(attacker.data(0, flags=FIRST_FRAGMENT))


def sack_of_all(attacker: Attacker, held: int) -> bytes:
    return attacker.packet(attacker.sack(attacker.leave_outstanding(held)))


def sack_of_every_second(attacker: Attacker, held: int) -> bytes:
    attacker.leave_outstanding(held)
    return attacker.packet(attacker.sack(0, *[(2 * number + 2, 2 * number + 2) for number in range(350)]))


def sack_that_shows_all_to_be_lost(attacker: Attacker, held: int) -> bytes:
    count = attacker.leave_outstanding(held)
    for last in (count - 2, count - 1):
        attacker.hit(attacker.packet(attacker.sack(0, (last, last))))
    return attacker.packet(attacker.sack(0, (count, count)))


def sack_that_lets_a_burst_go(attacker: Attacker, held: int) -> bytes:
    channel = attacker.accept_channel()
    attacker.hit(attacker.packet(attacker.sack(0, window=0)))
    attacker.let_send(channel, held)
    return attacker.packet(attacker.sack(0))


def reset_of_a_stream_with_a_full_queue(attacker: Attacker, held: int) -> bytes:
    channel = attacker.accept_channel()
    attacker.hit(attacker.packet(attacker.sack(0, window=0)))
    attacker.let_send(channel, held)
    return attacker.packet(attacker.reset(0, channel.id))


def abort(attacker: Attacker, held: int) -> bytes:
    attacker.open_channels(held)
    return attacker.packet(encode_chunk(ChunkType.ABORT))


ONCE: list[Attack] = [
    data_that_fills_the_gap_before_all,
    forward_tsn_that_delivers_all,
    forward_tsn_that_drops_all_fragments,
    reset_that_drops_all_messages,
    fragment_that_completes_a_message,
    sack_of_all,
    sack_of_every_second,
    sack_that_shows_all_to_be_lost,
    sack_that_lets_a_burst_go,
    reset_of_a_stream_with_a_full_queue,
    abort,
]


@pytest.mark.parametrize("attack", ONCE, ids=lambda attack: attack.__name__)
def test_what_passes_over_all_that_is_held_is_bounded_and_does_so_once(attacker: Attacker, attack: Attack) -> None:
    datagram = attack(attacker, 8000)
    assert operations(attacker.hit, datagram) < MAX_OPERATIONS
    attacker.settle()
    assert operations(attacker.hit, datagram) < MAX_OPERATIONS // 2
