"""The send queue, the outstanding chunks and the congestion window on their own."""

from glottis.sctp import SctpLimits
from glottis.sctp.congestion import CongestionWindow
from glottis.sctp.outstanding import OutboundChunk, Outstanding
from glottis.sctp.send_queue import OutboundMessage, SendQueue

CHUNK = SctpLimits().packet_capacity


def outstanding(count: int, first_tsn: int = 100) -> Outstanding:
    row = Outstanding(first_tsn)
    for number in range(count):
        row.add(OutboundChunk(first_tsn + number, b"", 10, OutboundMessage(number, 51, b"0123456789")))
    return row


def states(row: Outstanding) -> str:
    return "".join(chunk.state.name[0] for chunk in row)


def test_acknowledged_chunks_leave_the_row() -> None:
    row = outstanding(5)
    assert row.acknowledge_up_to(101) == 20
    assert (row.cumulative, row.next_tsn, row.flight_size, row.size) == (101, 105, 30, 30)


def test_gap_blocks_acknowledge_and_what_they_leave_out_again_is_sent_again_when_time_is_up() -> None:
    row = outstanding(6)
    assert row.apply_gaps(((2, 3), (5, 6))) == (40, 105, False)
    assert (states(row), row.flight_size) == ("IAAIAA", 20)
    assert row.apply_gaps(((3, 3), (5, 5))) == (0, 99, False)
    assert states(row) == "IAAIAA"
    row.lose_all()
    assert states(row) == "LLALAA"  # 105 is beyond what that SACK speaks of
    assert row.apply_gaps(()) == (0, 99, False)
    row.lose_all()
    assert states(row) == "LLLLLL"
    assert row.apply_gaps(((2, 6),)) == (50, 105, False)
    assert (states(row), row.flight_size) == ("LAAAAA", 0)


def test_gap_blocks_that_overlap_or_lie_count_what_was_sent_and_once() -> None:
    row = outstanding(6)
    assert row.apply_gaps(((2, 4),)) == (30, 103, False)
    assert row.apply_gaps(((3, 5), (4, 6))) == (10, 104, False)  # the second block is out of order
    assert row.acknowledge_up_to(102) == 10
    assert row.apply_gaps(((1, 65535), (9, 3))) == (10, 105, False)
    assert row.apply_gaps(((4, 5),)) == (0, 102, False)
    assert (states(row), row.flight_size) == ("AAA", 0)


def test_third_report_makes_a_chunk_missing_and_its_retransmission_can_be_missed_too() -> None:
    row = outstanding(3)
    assert [len(row.report_missing(102)) for _ in range(3)] == [0, 0, 2]
    first = next(iter(row))
    row.lose(first)
    assert row.next_lost() is first
    row.send_again(first)
    assert row.next_lost() is None
    assert [first in row.report_missing(102) for _ in range(4)] == [False] * 4
    row.add(OutboundChunk(103, b"", 10, OutboundMessage(9, 51, b"0123456789")))
    row.add(OutboundChunk(104, b"", 10, OutboundMessage(9, 51, b"0123456789")))
    assert [first in row.report_missing(104) for _ in range(3)] == [False, False, True]


def test_given_up_message_takes_all_its_chunks_and_no_other() -> None:
    row = Outstanding(0)
    message, other = OutboundMessage(1, 51, b"x" * 30, stream_sequence=7), OutboundMessage(2, 51, b"y" * 10)
    for tsn in range(3):
        row.add(OutboundChunk(tsn, b"", 10, message))
    row.add(OutboundChunk(3, b"", 10, other))
    row.apply_gaps(((2, 2),))
    row.give_up(message, 99)
    assert (states(row), row.flight_size) == ("GGGI", 10)
    assert row.given_up_prefix(0) == (-1, {})
    assert row.given_up_prefix(10) == (2, {1: 7})
    assert states(row).endswith("I")


def served(queue: SendQueue, count: int) -> list[int]:
    order = []
    for _ in range(count):
        message = queue.next_message(0.0)
        assert message is not None
        queue.cut(message, len(message.data))
        order.append(message.stream_id)
    return order


def test_streams_of_equal_priority_take_turns() -> None:
    queue = SendQueue()
    for stream_id in (1, 1, 1, 2, 2, 2):
        queue.push(OutboundMessage(stream_id, 51, b"x"))
    assert served(queue, 6) == [1, 2, 1, 2, 1, 2]
    assert queue.next_message(0.0) is None


def test_idle_stream_saves_up_no_turns() -> None:
    queue = SendQueue()
    for _ in range(10):
        queue.push(OutboundMessage(1, 51, b"x"))
    served(queue, 8)
    for _ in range(10):
        queue.push(OutboundMessage(2, 51, b"x"))
    assert sorted(served(queue, 4)) == [1, 1, 2, 2]


def test_started_message_is_finished_before_another_begins() -> None:
    queue = SendQueue()
    queue.push(OutboundMessage(2, 51, b"abcdef"))
    message = queue.next_message(0.0)
    assert message is not None
    assert queue.cut(message, 4) == b"abcd"
    queue.push(OutboundMessage(1, 51, b"urgent"))
    assert queue.next_message(0.0) is message
    assert queue.cut(message, 2) == b"ef"
    assert served(queue, 1) == [1]


def test_discarding_keeps_only_what_has_begun() -> None:
    queue = SendQueue()
    for data in (b"abcdef", b"ghi", b"jkl"):
        queue.push(OutboundMessage(1, 51, data))
    message = queue.next_message(0.0)
    assert message is not None
    queue.cut(message, 4)
    queue.discard(1)
    assert (queue.size, queue.buffered(1)) == (2, 2)
    queue.cut(message, 2)
    assert queue.is_all_sent
    queue.tell_when_empty(1)
    assert queue.emptied == [1]


def test_window_doubles_in_slow_start_and_then_grows_by_a_chunk_per_window() -> None:
    window = CongestionWindow(SctpLimits())
    assert window.size == 4404
    window.acknowledged(5000, cumulative_tsn=1, window_was_full=True)
    assert window.size == 4404 + CHUNK
    window.fast_retransmitted(10)
    assert window.size == 4 * CHUNK
    window.acknowledged(5000, cumulative_tsn=5, window_was_full=True)
    assert window.size == 4 * CHUNK  # still in fast recovery
    window.acknowledged(CHUNK, cumulative_tsn=10, window_was_full=True)
    assert not window.in_fast_recovery


def test_window_that_is_not_used_does_not_grow() -> None:
    window = CongestionWindow(SctpLimits())
    window.acknowledged(5000, cumulative_tsn=1, window_was_full=False)
    assert window.size == 4404


def test_timeout_shrinks_the_window_to_one_chunk_and_idleness_to_the_initial_one() -> None:
    limits = SctpLimits()
    window = CongestionWindow(limits)
    for tsn in range(1000):
        window.acknowledged(5000, cumulative_tsn=tsn, window_was_full=True)
    assert window.size == limits.max_congestion_window
    window.was_idle(2.0, 1.0)
    assert window.size == limits.max_congestion_window // 4
    window.was_idle(1000.0, 1.0)
    assert window.size == 4404
    window.timed_out()
    assert window.size == CHUNK
    window.was_idle(1000.0, 1.0)
    assert window.size == CHUNK
