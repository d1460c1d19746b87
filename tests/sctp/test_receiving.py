"""TSNs and reassembly against simple models."""

from collections.abc import Iterable
from itertools import pairwise

import pytest
from glottis.contracts.errors import Malformed
from glottis.sctp import MessageReceived
from glottis.sctp.limits import CHUNK_OVERHEAD
from glottis.sctp.reassembly import InboundStreams, Reassembly
from glottis.sctp.received_tsns import ReceivedTsns
from glottis.sctp.serial import unwrap_ssn, unwrap_tsn
from glottis.sctp.tsn_ranges import TsnRanges
from glottis.wire.sctp import FIRST_FRAGMENT, LAST_FRAGMENT, UNORDERED
from hypothesis import given, settings
from hypothesis import strategies as st
from support.examples import examples


@given(st.lists(st.integers(0, 40), max_size=80))
@settings(max_examples=examples(200), derandomize=True)
def test_received_tsns_say_what_a_set_would_say(arrivals: list[int]) -> None:
    tsns, model = ReceivedTsns(0), set[int]()
    for tsn in arrivals:
        assert tsns.receive(tsn) == (tsn not in model)
        model.add(tsn)
        cumulative = next(number for number in range(-1, 50) if number + 1 not in model)
        assert tsns.cumulative == cumulative
        assert tsns.highest == max(model)
        reported = {n for first, last in tsns.gap_blocks() for n in range(cumulative + first, cumulative + last + 1)}
        assert reported == {number for number in model if number > cumulative}


@given(st.lists(st.integers(0, 40), max_size=20), st.integers(0, 40))
@settings(max_examples=examples(100), derandomize=True)
def test_forwarding_counts_everything_before_as_received(arrivals: list[int], forward: int) -> None:
    tsns, model = ReceivedTsns(0), set(range(forward + 1)) | set(arrivals)
    for tsn in arrivals:
        tsns.receive(tsn)
    tsns.forward(forward)
    assert tsns.cumulative == next(number for number in range(-1, 50) if number + 1 not in model)


def members(ranges: Iterable[tuple[int, int]]) -> list[int]:
    return [tsn for first, last in ranges for tsn in range(first, last + 1)]


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 8)), max_size=20), st.integers(-1, 45))
@settings(max_examples=examples(200), derandomize=True)
def test_ranges_say_what_a_set_would_say(additions: list[tuple[int, int]], cut: int) -> None:
    ranges, model = TsnRanges(), set[int]()
    for first, length in additions:
        added = set(range(first, first + length + 1))
        assert {
            tsn for begin, end in ranges.add(first, first + length) for tsn in range(begin, end + 1)
        } == added - model
        model |= added
    ranges.cut_off(cut)
    assert [tsn for first, last in ranges for tsn in range(first, last + 1)] == sorted(
        tsn for tsn in model if tsn > cut
    )
    assert all((tsn in ranges) == (tsn in model and tsn > cut) for tsn in range(-1, 50))
    assert all(last + 1 < first for (_, last), (first, _) in pairwise(ranges))


def test_duplicates_are_reported_once_and_in_bounds() -> None:
    tsns = ReceivedTsns(0)
    tsns.receive(0)
    for _ in range(100):
        tsns.receive(0)
    assert tsns.take_duplicates() == (0,) * 16
    assert tsns.take_duplicates() == ()


@pytest.mark.parametrize("near", [0, 1, 2**31, 2**32 - 1, 2**32, 2**40 + 5])
def test_numbers_unwrap_to_the_nearest(near: int) -> None:
    for offset in (-1000, -1, 0, 1, 1000):
        assert unwrap_tsn((near + offset) & 0xFFFFFFFF, near) == near + offset
        assert unwrap_ssn((near + offset) & 0xFFFF, near) == near + offset


@given(st.permutations(range(12)))
@settings(max_examples=examples(100), derandomize=True)
def test_fragments_join_in_whatever_order_they_come(order: list[int]) -> None:
    reassembly = Reassembly(100)
    complete = {}
    for tsn in order:  # three messages of four fragments
        position = tsn % 4
        flags = (FIRST_FRAGMENT if position == 0 else 0) | (LAST_FRAGMENT if position == 3 else 0)
        message = reassembly.add_untrusted(tsn, flags, (tsn, 1, tsn // 4, 51), bytes([65 + tsn]))
        if message is not None:
            complete[tsn // 4] = message.data
    assert complete == {0: b"ABCD", 1: b"EFGH", 2: b"IJKL"}
    assert reassembly.held == 0


def test_message_that_grows_beyond_the_maximum_is_refused() -> None:
    reassembly = Reassembly(1000)
    reassembly.add_untrusted(0, FIRST_FRAGMENT, (0, 1, 0, 53), bytes(600))
    with pytest.raises(Malformed, match="longer than the maximum"):
        reassembly.add_untrusted(1, 0, (1, 1, 0, 53), bytes(600))


@pytest.mark.parametrize(("flags", "stream", "sequence"), [(0, 2, 0), (0, 1, 1), (UNORDERED, 1, 0)])
def test_fragments_that_disagree_are_refused(flags: int, stream: int, sequence: int) -> None:
    reassembly = Reassembly(1000)
    reassembly.add_untrusted(0, FIRST_FRAGMENT, (0, 1, 0, 53), b"x")
    with pytest.raises(Malformed, match="disagree"):
        reassembly.add_untrusted(1, flags, (1, stream, sequence, 53), b"y")


@given(
    st.lists(st.tuples(st.integers(0, 12), st.sampled_from([0, 1, 2, 3])), max_size=12, unique_by=lambda pair: pair[0])
)
@settings(max_examples=examples(200), derandomize=True)
def test_fuzz_add_untrusted(fragments: list[tuple[int, int]]) -> None:
    """``Reassembly.add_untrusted`` (and so ``is_followed_by_untrusted``) raises exactly ``Malformed``.

    What it holds is what it counts.
    """
    reassembly = Reassembly(5)
    for tsn, flags in fragments:
        try:
            reassembly.add_untrusted(tsn, flags, (tsn, 1, 1, 53), b"z")
        except Malformed:
            return
    reassembly.drop_up_to(100)
    assert reassembly.held == 0


def message(text: bytes, stream_id: int = 1) -> MessageReceived:
    return MessageReceived(stream_id, 53, text)


@given(st.permutations(range(8)))
@settings(max_examples=examples(50), derandomize=True)
def test_ordered_messages_are_delivered_in_order(order: list[int]) -> None:
    streams, delivered = InboundStreams(), list[MessageReceived]()
    for number in order:
        delivered += streams.take(number, message(b"%d" % number))
    assert [ready.data for ready in delivered] == [b"%d" % number for number in range(8)]
    assert streams.held == 8 * (1 + CHUNK_OVERHEAD)
    for ready in delivered:
        streams.taken([ready])
    assert streams.held == 0


def test_sequence_numbers_wrap() -> None:
    streams = InboundStreams()
    for number in range(2**16 + 10):
        assert len(streams.take(number & 0xFFFF, message(b"x"))) == 1


def test_skipping_delivers_what_waited_behind() -> None:
    streams = InboundStreams()
    for number in (1, 2, 4):
        assert streams.take(number, message(b"%d" % number)) == []
    assert streams.held == 3 * (1 + CHUNK_OVERHEAD)
    assert [ready.data for ready in streams.skip({1: 1})] == [b"1", b"2"]
    assert [ready.data for ready in streams.skip({1: 3})] == [b"4"]
    assert streams.skip({1: 2}) == []


def test_skipping_delivers_what_it_passes_and_what_follows_without_a_gap() -> None:
    streams = InboundStreams()
    for number in (2, 5, 9, 7, 6, 10, 12):
        streams.take(number, message(b"%d" % number))
    assert [ready.data for ready in streams.skip({1: 5})] == [b"2", b"5", b"6", b"7"]
    assert [ready.data for ready in streams.take(8, message(b"8"))] == [b"8", b"9", b"10"]
    assert streams.held == 8 * CHUNK_OVERHEAD + 10


def test_repeated_sequence_number_holds_no_more() -> None:
    streams = InboundStreams()
    for _ in range(3):
        streams.take(5, message(b"x"))
    streams.reset(())
    assert streams.held == 0


def test_reset_stream_begins_at_zero_again() -> None:
    streams = InboundStreams()
    streams.taken(streams.take(0, message(b"old")))
    streams.take(5, message(b"never delivered"))
    streams.reset((1,))
    assert streams.held == 0
    assert [ready.data for ready in streams.take(0, message(b"new"))] == [b"new"]
