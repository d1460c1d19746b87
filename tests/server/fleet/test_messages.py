"""What parent and workers say to each other: read as it was meant, or refused."""

import os
import socket
from collections.abc import Iterator
from contextlib import suppress

import pytest
import trio
from glottis import Malformed
from glottis.server.fleet import messages
from glottis.server.fleet.channel import MAX_WAITING, Channel, close_all, open_channel_pair
from glottis.server.fleet.messages import encode, parse_counts_untrusted, parse_from_parent, parse_from_worker_untrusted
from glottis.server.http.entry import Entry
from hypothesis import given
from hypothesis import strategies as st

WANTS = messages.Wants(2, "127.0.0.1", 8080, ("127.0.0.1",), 50000, None, 1000, 250, 60, 600, 5.0, 10.0, 8, "http")
SAID: list[messages.FromWorker] = [
    messages.Hello(1, "0.1.0", WANTS),
    messages.Ready("UDP 127.0.0.1:50000"),
    messages.Beat("FULL", b"{}"),
    messages.HandOver(3, b"GET / HTTP/1.1\r\n"),
    messages.HandOver(0, b"POST / HTTP/1.1\r\n", "192.0.2.1", "ticket", (1, 2)),
    messages.Claim(1, "1-a", "echo", None, "192.0.2.1", "somebody", 3),
    messages.Connected("1-a"),
    messages.Release("1-a"),
    messages.Rate(1, "sessions", "192.0.2.1"),
    messages.Ask(1, "plugins"),
    messages.Told(1, b"[]"),
    messages.Queue(1, "", "192.0.2.1"),
    messages.Leave("ticket"),
    messages.Leaves("1-a", "somebody", b"It has ended.", 900.0),
    messages.Recall(1, "1-a"),
]
ANSWERED: list[messages.FromParent] = [
    messages.Welcome(1, b"s" * 32, 1, 2, 0),
    messages.Adopt(b"GET / HTTP/1.1\r\n", None, ""),
    messages.Adopt(b"POST / HTTP/1.1\r\n", Entry(0.5, False, True, (1, 2)), "127.0.0.1"),
    messages.Queued(1, "ticket", 3),
    messages.Recalled(1, "somebody", b"It has ended."),
    messages.Granted(1),
    messages.Refused(1, "FULL", "try again later"),
    messages.Wait(1, 0.5),
    messages.State("DRAINING"),
    messages.Stop(5.0, True),
    messages.Tell(1, "plugins"),
    messages.Part(1, 2, b"[]"),
    messages.Done(1),
]


@pytest.fixture
def channels() -> Iterator[tuple[Channel, Channel]]:
    ours, theirs = open_channel_pair()
    with ours, theirs:
        yield Channel(ours), Channel(theirs)


@pytest.mark.parametrize("message", SAID, ids=lambda message: type(message).__name__)
def test_what_a_worker_says_is_read_as_it_was_meant(message: messages.FromWorker) -> None:
    assert parse_from_worker_untrusted(encode(message)) == message


@pytest.mark.parametrize("message", ANSWERED, ids=lambda message: type(message).__name__)
def test_what_the_parent_says_is_read_as_it_was_meant(message: messages.FromParent) -> None:
    assert parse_from_parent(encode(message)) == message


@given(st.binary(max_size=64) | st.sampled_from([encode(each) for each in SAID]), st.integers(0, 63), st.binary())
def test_any_message_of_a_worker_is_read_or_refused(data: bytes, at: int, change: bytes) -> None:
    """Fuzz: glottis.server.fleet.messages raises nothing but Malformed."""
    with suppress(Malformed):
        parse_from_worker_untrusted(data[:at] + change + data[at + len(change) :])


@given(st.binary(max_size=64) | st.sampled_from([b'{"complexity": 1}', b'{"media_load": "x"}', b"[" * 9999]))
def test_any_counts_of_a_worker_are_read_or_refused(data: bytes) -> None:
    """Fuzz: ``parse_counts_untrusted`` raises nothing but Malformed."""
    with suppress(Malformed):
        parse_counts_untrusted(data)


@pytest.mark.parametrize(
    "message",
    [
        messages.HandOver(1, bytes(messages.MAX_RECEIVED + 1)),
        messages.HandOver(-1, b""),
        messages.HandOver(0, b"", "", "x" * 65),
        messages.Leaves("1-a", "", bytes(messages.MAX_PAGE + 1), 900.0),
        messages.HandOver(0, b"", "", "", (1, 2, 3, 4)),
        messages.Claim(1, "x" * 600, "echo", None, "", "", None),
        messages.Stop(1.0, True),
        messages.Beat("", bytes(messages.MAX_COUNTS + 1)),
        messages.Told(1, bytes(messages.MAX_FIGURES + 1)),
    ],
)
def test_what_is_beyond_all_bounds_is_refused(message: messages.FromWorker) -> None:
    with pytest.raises(Malformed):
        parse_from_worker_untrusted(encode(message))


async def test_descriptors_go_with_their_message_even_where_it_has_to_wait(channels: tuple[Channel, Channel]) -> None:
    here, there = channels
    read, write = os.pipe()
    count = 0
    while here.send(b"x" * 1024) and count < 300:
        count += 1
    assert here.send(b"this one", [write])
    os.close(write)  # the channel has a copy
    async with trio.open_nursery() as nursery:
        nursery.start_soon(here.run)
        received = (b"", list[int]())
        while received[0] != b"this one":
            received = await there.receive_untrusted() or received
        nursery.cancel_scope.cancel()
    os.write(received[1][0], b"hello")
    close_all(received[1])
    assert os.read(read, 9) == b"hello"
    os.close(read)


async def test_who_never_reads_counts_as_gone_and_costs_no_more_than_a_bound(channels: tuple[Channel, Channel]) -> None:
    here, _ = channels
    sent = 0
    while here.send(b"x" * 100):
        sent += 1
    assert here.is_closed
    assert sent < 4 * MAX_WAITING
    assert not here.send(b"anything")


async def test_what_no_buffer_has_room_for_is_refused_and_leaves_no_descriptor() -> None:
    """Fuzz: ``Channel.receive_untrusted`` raises nothing but Malformed."""
    ours, theirs = open_channel_pair()
    with ours, theirs:
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        for data, count in ((bytes(messages.LONGEST + 1), 1), (b"x", messages.MOST_DESCRIPTORS + 9)):
            before = len(os.listdir("/proc/self/fd"))
            socket.send_fds(ours, [data], [ours.fileno()] * count)
            with pytest.raises(Malformed):
                await Channel(theirs).receive_untrusted()
            assert len(os.listdir("/proc/self/fd")) == before
        ours.close()
        assert await Channel(theirs).receive_untrusted() is None
