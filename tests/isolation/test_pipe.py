"""The pipe carries whole messages whatever the kernel takes at once, and nonsense of a worker ends nothing but it."""

import random
import socket
from contextlib import suppress

import pytest
import trio
import trio.testing
from glottis import Call
from glottis.contracts.audio import EncodedPacket
from glottis.contracts.errors import Malformed
from glottis.isolation import messages
from glottis.isolation.framing import Splitter, frame
from glottis.isolation.messages import LONGEST_FROM_WORKER, encode, parse_from_worker_untrusted
from glottis.isolation.pipe import Pipe
from glottis.isolation.places import Places
from glottis.isolation.remote_call import RemoteCall
from glottis.isolation.worker_log import MARK, MAX_LINE, Lines, log_line, parse_record_untrusted
from hypothesis import given
from hypothesis import strategies as st
from support.remote_call import remote_call

BYTES = st.binary(max_size=3)
PACKET = EncodedPacket(b"speech", "opus", 48000, 960, 960)
SAID: list[messages.FromWorker] = [
    messages.Ready(),
    messages.Refused("no such model"),
    messages.Alive(),
    messages.Wants(1, audio=True, packets=False),
    messages.Say(1, bytes(640)),
    messages.SayPacket(1, PACKET),
    messages.SayTone(1, 5, 0.1, 0.06),
    messages.Flush(1, 3),
    messages.Ask(1, 1, "text", None, b"hello"),
    messages.Ask(1, 2, "event", "name", b"{}"),
    messages.Ask(1, 3, "channel", None),
    messages.Unask(1, 3),
    messages.Waiting(1, 3, 2, 100, is_read=True),
    messages.Missed(1, 1, 2, 3, 4, 5, 6),
    messages.HangUp(1, "enough"),
    messages.HandedOver(1, "sales"),
    messages.Failed(1, "whose it is"),
    messages.Stopped(1),
]
"""One of each, and more."""
ENDS = messages.HangUp | messages.Failed | messages.Stopped
OF_A_CALL = [message for message in SAID if isinstance(message, messages.OfCall) and not isinstance(message, ENDS)]


@given(st.lists(st.binary(max_size=300), max_size=8), st.integers(1, 64))
def test_bodies_come_whole_however_the_stream_is_cut(bodies: list[bytes], step: int) -> None:
    stream = b"".join(map(frame, bodies))
    splitter = Splitter(300)
    found = []
    for start in range(0, len(stream), step):
        splitter.feed(stream[start : start + step])
        while (body := splitter.next_body_untrusted()) is not None:
            found.append(body)
    assert found == bodies


@given(st.binary(max_size=200))
def test_any_stream_is_cut_or_refused(data: bytes) -> None:
    """Fuzz: glottis.isolation.framing raises nothing but Malformed."""
    splitter = Splitter(100)
    splitter.feed(data)
    with suppress(Malformed):
        while (body := splitter.next_body_untrusted()) is not None:
            assert len(body) <= 100


@given(st.lists(st.binary(max_size=12) | st.sampled_from([frame(encode(each)) for each in SAID]), max_size=6))
async def test_a_gateway_reads_whatever_a_worker_writes_to_the_end_or_refuses_it(pieces: list[bytes]) -> None:
    """Fuzz: ``Places.read_untrusted`` raises nothing but Malformed."""
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            theirs.sendall(b"".join(pieces))
        with suppress(Malformed):
            await Places(Pipe(ours, LONGEST_FROM_WORKER), 8, lambda: None).read_untrusted()


@pytest.mark.parametrize("message", SAID, ids=lambda message: type(message).__name__)
def test_what_a_worker_says_is_read_as_it_was_meant(message: messages.FromWorker) -> None:
    assert parse_from_worker_untrusted(encode(message)) == message


@given(st.binary(max_size=64) | st.sampled_from([encode(message) for message in SAID]), st.integers(0, 63), BYTES)
def test_any_message_of_a_worker_is_read_or_refused(data: bytes, at: int, change: bytes) -> None:
    """Fuzz: glottis.isolation.messages raises nothing but Malformed."""
    with suppress(Malformed):
        parse_from_worker_untrusted(data[:at] + change + data[at + len(change) :])


@pytest.mark.parametrize(
    "message",
    [
        messages.SayTone(1, 16, 0.1, 0.06),
        messages.SayTone(1, 1, float("nan"), 0.06),
        messages.SayTone(1, 1, 1e9, 0.06),
        messages.Flush(-1, 3),
        messages.Failed(1, "x" * 5000),
        messages.HandedOver(1, "x" * 300),
        messages.Order(b""),
        messages.Unask(1, 2**63),
    ],
)
def test_what_is_beyond_all_bounds_is_refused(message: messages.FromWorker) -> None:
    with pytest.raises(Malformed):
        parse_from_worker_untrusted(encode(message))


@given(st.binary(max_size=200))
def test_any_line_of_a_worker_is_logged(line: bytes) -> None:
    """Fuzz: glottis.isolation.worker_log raises nothing but Malformed, and whoever logs not even that."""
    with suppress(Malformed):
        parse_record_untrusted(MARK + line)
    log_line(MARK + line, "a worker")
    log_line(line, "a worker")


def test_lines_are_cut_that_never_end() -> None:
    lines = Lines()
    assert lines.feed(b"one\n\ntw") == [b"one"]
    assert lines.feed(b"o\n") == [b"two"]
    assert len(lines.feed(b"x" * (MAX_LINE + 1))) == 1


async def test_what_the_kernel_does_not_take_waits_and_comes_whole() -> None:
    ours, theirs = socket.socketpair()
    sender, receiver = Pipe(ours, 1), Pipe(theirs, LONGEST_FROM_WORKER)
    bodies = [random.Random(number).randbytes(100_000) for number in range(20)]
    found: list[bytes] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sender.run)
        for body in bodies:
            sender.send(body)
        assert sender.waiting > 100_000
        while len(found) < len(bodies) and await receiver.read():
            found += iter(receiver.incoming.next_body_untrusted, None)
        assert found == bodies
        assert not sender.waiting
        sender.close()
        assert not await receiver.read()
    receiver.close()


@pytest.mark.parametrize("seed", range(3))
async def test_a_call_takes_anything_that_can_be_said_in_any_order(
    seed: int, autojump_clock: trio.testing.MockClock
) -> None:
    rng = random.Random(seed)
    async with remote_call(idle) as caller:
        assert isinstance(caller.call, RemoteCall)
        await caller.waits(0.1)
        for _ in range(300):
            caller.call.take(rng.choice(OF_A_CALL))
            if rng.random() < 0.1:
                await caller.waits(0.02)
        assert caller.voice.queued < 1.5


async def idle(call: Call) -> None:
    await trio.sleep_forever()
