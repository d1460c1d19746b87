import pytest
import trio
import trio.testing
from glottis.media.message_stream import TURN, MessageStream
from glottis.wire.channel_data import build_channel_data

MESSAGE = build_channel_data(0x4000, b"hello")


class Owner:
    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.reasons: list[str] = []
        ours, self.server = trio.testing.memory_stream_pair()
        self.stream = MessageStream(ours, TURN, self.messages.extend, self.reasons.append)


async def test_messages_are_padded_and_cut_apart(nursery: trio.Nursery) -> None:
    owner = Owner()
    nursery.start_soon(owner.stream.write)
    nursery.start_soon(owner.stream.read)
    owner.stream.send(MESSAGE)
    owner.stream.send(MESSAGE)
    await trio.testing.wait_all_tasks_blocked()
    assert await owner.server.receive_some() == 2 * (MESSAGE + bytes(3))
    await owner.server.send_all((MESSAGE + bytes(3)) * 3)
    await trio.testing.wait_all_tasks_blocked()
    assert owner.messages == [MESSAGE + bytes(3)] * 3


async def test_what_the_stream_does_not_take_is_dropped_and_counted() -> None:
    owner = Owner()
    for _ in range(TURN.max_unsent // len(MESSAGE)):
        owner.stream.send(MESSAGE)
    assert owner.stream.dropped > 0
    await owner.stream.flush()
    assert len(await owner.server.receive_some()) <= TURN.max_unsent
    owner.stream.send(MESSAGE)
    await owner.stream.flush()
    assert await owner.server.receive_some() == MESSAGE + bytes(3)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (MESSAGE[:5], "the other end has closed the connection"),
        (b"SSH-2.0-server", "the other end does not speak the protocol"),
        (b"", "the other end has closed the connection"),
    ],
)
async def test_stream_that_ends_or_makes_no_sense_is_told(said: bytes, reason: str) -> None:
    owner = Owner()
    if said:
        await owner.server.send_all(said)
    await owner.server.aclose()
    await owner.stream.read()
    assert owner.reasons == [reason]


async def test_stream_that_breaks_is_told(nursery: trio.Nursery) -> None:
    owner = Owner()
    await owner.server.aclose()
    owner.stream.send(MESSAGE)
    await owner.stream.flush()
    assert owner.reasons == ["the connection is broken"]
