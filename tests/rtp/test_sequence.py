from glottis.rtp.sequence import MAX_DROPOUT, SequenceTracker, extend_timestamp
from hypothesis import given, settings
from hypothesis import strategies as st
from support.examples import examples


@given(st.integers(0, 0xFFFF), st.lists(st.integers(-99, 2999), max_size=200))
@settings(max_examples=examples(60))
def test_numbers_grow_over_wraps_and_reordering(first: int, steps: list[int]) -> None:
    tracker = SequenceTracker(first)
    highest = first
    for step in steps:
        assert tracker.extend((highest + step) & 0xFFFF) == highest + step
        highest = max(highest, highest + step)
    assert tracker.highest == highest
    assert tracker.expected == highest - first + 1


def test_stray_packet_after_a_jump_is_dropped() -> None:
    tracker = SequenceTracker(100)
    assert tracker.extend(100 + MAX_DROPOUT + 20000) is None
    assert tracker.extend(101) == 101


def test_two_packets_in_a_row_after_a_jump_are_a_restart_that_loses_nothing() -> None:
    tracker = SequenceTracker(100)
    tracker.extend(101)
    assert tracker.extend(40000) is None
    restarted = tracker.extend(40001)
    assert restarted is not None
    assert restarted > 101
    assert tracker.extend(40002) == restarted + 1
    assert tracker.expected == 4


@given(st.integers(0, 2**40), st.integers(-(2**31), 2**31 - 1))
@settings(max_examples=examples(100))
def test_timestamp_is_extended_to_the_nearest(reference: int, step: int) -> None:
    assert extend_timestamp((reference + step) & 0xFFFFFFFF, reference) == reference + step
