"""Bounds of time for each turn, and of memory in what memory holds."""

import sys
import tracemalloc
from collections.abc import Callable

import pytest
from glottis.contracts.errors import LocalError
from glottis.sctp import BufferedAmountLow, SendBufferFull
from glottis.sctp.limits import CHUNK_OVERHEAD
from glottis.sctp.send_queue import OutboundMessage, SendQueue
from glottis.wire.dcep import ChannelOpen, ProtocolId
from glottis.wire.sctp import FIRST_FRAGMENT, LAST_FRAGMENT, ChunkType, encode_chunk, encode_parameters
from glottis.wire.sctp_chunks import ResetResponse, ResetResult
from support.cost import OPERATIONS_PER_MS, operations
from support.sctp_attacker import Attacker

# Timers


def wait_for_channels_on_all_streams(attacker: Attacker) -> None:
    for stream in range(1024):
        attacker.hit(attacker.packet(attacker.data(stream, stream=stream)))
        attacker.settle()


def retransmission_of_all(attacker: Attacker) -> None:
    attacker.leave_outstanding(8000)


def retransmission_of_long_messages_that_are_given_up(attacker: Attacker) -> None:
    attacker.leave_outstanding(4, 250_000, max_retransmits=0)


def retransmission_of_one_long_message_that_is_given_up(attacker: Attacker) -> None:
    attacker.engine._remote_max_message_size = 1_000_000
    attacker.leave_outstanding(1, 1_000_000, max_retransmits=0)


def retransmission_of_short_messages_that_are_given_up(attacker: Attacker) -> None:
    attacker.leave_outstanding(8000, max_retransmits=0)


def messages_whose_time_is_over(attacker: Attacker) -> None:
    attacker.leave_outstanding(8000, max_packet_life_time_ms=5000)


def queue_that_expires(attacker: Attacker) -> None:
    channel = attacker.accept_channel(max_packet_life_time_ms=10)
    attacker.hit(attacker.packet(attacker.sack(0, window=0)))
    attacker.let_send(channel, 8000)
    attacker.hit(attacker.packet(attacker.sack(0, window=0)))


@pytest.mark.slow
@pytest.mark.parametrize(
    "prepare",
    [
        wait_for_channels_on_all_streams,
        retransmission_of_all,
        retransmission_of_long_messages_that_are_given_up,
        retransmission_of_one_long_message_that_is_given_up,
        retransmission_of_short_messages_that_are_given_up,
        messages_whose_time_is_over,
        queue_that_expires,
    ],
    ids=lambda prepare: prepare.__name__,
)
def test_each_turn_of_a_timer_is_bounded(attacker: Attacker, prepare: Callable[[Attacker], None]) -> None:
    prepare(attacker)
    later = attacker.pair.now + 5

    def turn() -> None:
        attacker.engine.handle_timeout(later)
        attacker.engine.datagrams_to_send()

    turns = 0
    while (attacker.engine.next_timeout() or later + 1) <= later:
        assert operations(turn) <= OPERATIONS_PER_MS
        turns += 1
    assert 0 < turns < 200


# Memory


def scattered_fragments(attacker: Attacker) -> None:
    for number in range(4000):
        attacker.hit(attacker.packet(attacker.data(2 * number + 2, b"xy", flags=0, stream=900, sequence=number)))


def fragments_of_one_message(attacker: Attacker) -> None:
    for number in range(4000):
        attacker.hit(attacker.packet(attacker.data(number, b"xy", flags=0, stream=900)))


def messages_out_of_turn(attacker: Attacker) -> None:
    for number in range(4000):
        data = attacker.data(2 * number + 2, b"xy", stream=900, sequence=9 + number, protocol_id=10**6 + number)
        attacker.hit(attacker.packet(data))


def messages_that_nobody_takes(attacker: Attacker) -> None:
    attacker.open_channels(3)
    for number in range(4000):
        attacker.hit(attacker.packet(attacker.data(number, b"xy", stream=2, sequence=1 + number)))


def messages_without_a_channel(attacker: Attacker) -> None:
    for number in range(4000):
        attacker.hit(attacker.packet(attacker.data(number, b"xy", stream=number % 1000, sequence=number // 1000)))


@pytest.mark.slow
@pytest.mark.parametrize(
    "fill",
    [
        scattered_fragments,
        fragments_of_one_message,
        messages_out_of_turn,
        messages_that_nobody_takes,
        messages_without_a_channel,
    ],
    ids=lambda fill: fill.__name__,
)
def test_window_shuts_before_memory_is_full(attacker: Attacker, fill: Callable[[Attacker], None]) -> None:
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        fill(attacker)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    window = attacker.association._limits.receive_buffer
    assert attacker.held() >= window
    assert after - before < 1.5 * window


@pytest.mark.slow
def test_tiny_messages_fill_the_send_buffer_as_they_fill_memory(attacker: Attacker) -> None:
    channel = attacker.accept_channel()
    tracemalloc.start()
    try:
        attacker.let_send(channel, 100_000, 2)
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    with pytest.raises(SendBufferFull):
        channel.send_bytes(b"xy")
    assert size < attacker.association._limits.send_buffer


def test_room_after_a_full_send_buffer_is_told_though_no_channel_passes_its_threshold(attacker: Attacker) -> None:
    channel = attacker.accept_channel()
    channel.buffered_amount_low_threshold = 100_000
    attacker.let_send(channel, 100_000)
    assert channel.buffered_amount < 100_000
    attacker.association._outbound._window.size = 1024 * 1024
    events = []
    while attacker.association._outbound.held:
        attacker.hit(attacker.packet(attacker.sack(len(attacker.association._outbound._outstanding))))
        while (event := attacker.engine.next_event()) is not None:
            events.append(event)
    assert events == [BufferedAmountLow(channel)]


def test_message_that_no_empty_send_buffer_holds_is_refused_for_good(attacker: Attacker) -> None:
    channel = attacker.accept_channel()
    with pytest.raises(LocalError, match="larger than the send buffer") as caught:
        attacker.association.send(channel.id, 53, bytes(8 * 1024 * 1024))
    assert not isinstance(caught.value, SendBufferFull)


def test_labels_hold_no_more_than_their_bound(attacker: Attacker) -> None:
    opened, label = attacker.engine.table, "\U0001f399" * 900
    for stream in range(512):
        for fragment in open_in_fragments(attacker, stream, label):
            attacker.hit(attacker.packet(fragment))
        attacker.next_tsn += 4
        attacker.settle()
    assert 200 < len(opened) < 300
    assert sum(sys.getsizeof(channel.label) for channel in opened) < 1.1 * 1024 * 1024


def open_in_fragments(attacker: Attacker, stream: int, label: str) -> list[bytes]:
    message = ChannelOpen(label).encode()
    flags = (FIRST_FRAGMENT, 0, 0, LAST_FRAGMENT)
    parts = [(number, message[number * 1000 :][:1000], flag) for number, flag in enumerate(flags)]
    return [attacker.data(*part, stream, protocol_id=ProtocolId.DCEP) for part in parts]


def test_sack_that_is_taken_note_of_in_parts_counts_once_for_the_congestion_window(attacker: Attacker) -> None:
    """RFC 9260 §7.2.1: by one PMDCS at most, whatever one SACK acknowledges."""
    count = attacker.leave_outstanding(600, size=1000)
    assert count == 600
    attacker.association._outbound._window.size = 8 * attacker.association._limits.packet_capacity
    before = attacker.association.congestion_window
    attacker.hit(attacker.packet(attacker.sack(count)))
    attacker.settle()
    assert attacker.association._outbound.is_idle
    assert attacker.association.congestion_window - before == attacker.association._limits.packet_capacity


def test_gap_blocks_that_are_taken_note_of_in_parts_leave_only_what_is_missing(attacker: Attacker) -> None:
    count = attacker.leave_outstanding(600)
    outstanding = attacker.association._outbound._outstanding
    size = outstanding.flight_size // count
    attacker.hit(attacker.packet(attacker.sack(0, (2, count))))
    assert outstanding.flight_size > 300 * size
    attacker.settle()
    assert outstanding.flight_size == size


def test_second_sack_of_a_packet_is_passed_over_and_counted(attacker: Attacker) -> None:
    count = attacker.leave_outstanding(100)
    before = attacker.association.malformed_packets
    heartbeat = encode_chunk(ChunkType.HEARTBEAT, b"x")
    answers = attacker.send(attacker.sack(1), attacker.sack(count), heartbeat)
    assert len(attacker.association._outbound._outstanding) == count - 1
    assert ChunkType.HEARTBEAT_ACK in dict(answers)
    assert attacker.association.malformed_packets == before + 1


def test_next_reset_of_the_peer_waits_until_the_owner_has_taken_the_last(attacker: Attacker) -> None:
    attacker.open_channels(2)
    association = attacker.association
    results = []
    for number in range(100):
        association.handle_datagram(attacker.packet(attacker.reset(number, 0)), attacker.pair.now)
        association.datagrams_to_send()
        results.append(association._reset._deferred is None)
    assert results == [True] + [False] * 99
    assert len(association._tcb.events) == 1
    association.next_event()
    assert association.next_timeout() == attacker.pair.now
    association.handle_timeout(attacker.pair.now)
    association.datagrams_to_send()
    assert association._reset._deferred is None


def test_turns_of_streams_whose_messages_are_discarded_do_not_pile_up() -> None:
    queue = SendQueue()
    for _ in range(1000):
        queue.push(OutboundMessage(1, 51, b"x"))
        queue.discard(1)
        queue.reset(1)
    assert len(queue._turns) == 1
    assert queue.next_message(0.0) is None
    queue.push(OutboundMessage(1, 51, b"x"))
    assert queue.next_message(0.0) is not None


def test_long_messages_are_not_taken_out_of_the_window_before_their_owner_wants_them(attacker: Attacker) -> None:
    attacker.open_channels(1)
    for number in range(100):
        attacker.hit(attacker.packet(attacker.data(number, bytes(1100), sequence=1 + number)))
    assert len(attacker.engine._events) == 60
    assert attacker.held() == 40 * (1100 + CHUNK_OVERHEAD)


def test_one_turn_hands_out_some_events_and_the_next_is_due_at_once(attacker: Attacker) -> None:
    attacker.open_channels(100)
    attacker.hit(attacker.packet(encode_chunk(ChunkType.ABORT)))
    taken = 0
    while attacker.engine.next_event() is not None:
        taken += 1
    assert 0 < taken < 20
    assert attacker.engine.next_timeout() == attacker.pair.now
    attacker.settle()
    assert len(attacker.engine.table) == 0


@pytest.mark.parametrize("chunk", ["reset", "abort"])
def test_all_of_many_channels_are_closed_in_the_end(attacker: Attacker, chunk: str) -> None:
    attacker.open_channels(1024)
    attacker.hit(attacker.packet(attacker.reset(0) if chunk == "reset" else encode_chunk(ChunkType.ABORT)))
    for _ in range(100):
        attacker.settle()
        answer_reset(attacker)
    assert len(attacker.engine.table) == 0
    assert attacker.engine.next_timeout() is None or attacker.engine.next_timeout() > attacker.pair.now


def answer_reset(attacker: Attacker) -> None:
    if (request := attacker.association._reset._request) is not None:
        response = ResetResponse(request.request_sequence, ResetResult.PERFORMED).to_parameter()
        attacker.hit(attacker.packet(encode_chunk(ChunkType.RE_CONFIG, encode_parameters([response]))))
