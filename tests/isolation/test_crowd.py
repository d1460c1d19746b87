"""The crowd notices what it is there to notice: else all that is tried beside it would pass."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio
import trio.testing
from glottis.signaling.messages import Bye
from glottis.wire.rtcp import is_rtcp
from support.crowd import Crowd, open_crowd
from support.faults import FAULTY_CONFIG, Faulty, block
from support.memory import MemoryEndpoint

pytestmark = pytest.mark.slow

Clock = trio.testing.MockClock


def lose_one(endpoint: object) -> None:
    """The next packet of audio that leaves there gets lost, and so do its repetitions."""
    lost: list[bytes] = []

    def passes(data: bytes) -> bool:
        if data[0] < 128 or is_rtcp(data):
            return True
        sequence_number = data[2:4]
        if not lost:
            lost.append(sequence_number)
        return sequence_number not in lost

    assert isinstance(endpoint, MemoryEndpoint)
    endpoint.let_pass(passes)


async def lose_a_packet_to_a_call(crowd: Crowd) -> None:
    lose_one(crowd.exchange.gateway.endpoint)


async def lose_a_packet_of_a_call(crowd: Crowd) -> None:
    lose_one(crowd.talkers[0].endpoint)


async def mix_up_two_calls(crowd: Crowd) -> None:
    one, other = crowd.talkers
    one.packet, other.packet = other.packet, one.packet


async def hold_the_thread(crowd: Crowd) -> None:
    block(0.1)


async def end_a_call(crowd: Crowd) -> None:
    await crowd.talkers[0].socket.send(Bye())


async def leave_a_session_behind(crowd: Crowd) -> None:
    await crowd.phone().create("talk")


@pytest.mark.parametrize(
    ("happening", "complaint"),
    [
        (lose_a_packet_to_a_call, "lost packets"),
        (lose_a_packet_of_a_call, "something else"),
        (mix_up_two_calls, "another call's"),
        (hold_the_thread, "had a gap of"),
        (end_a_call, "ended"),
        (leave_a_session_behind, "left behind"),
    ],
)
async def test_the_crowd_complains(
    happening: Callable[[Crowd], Awaitable[None]], complaint: str, tmp_path: Path, autojump_clock: Clock
) -> None:
    async with open_crowd(tmp_path, FAULTY_CONFIG, [Faulty()], calls=2) as crowd:
        crowd.begin()
        assert await crowd.complaints() == []
        await happening(crowd)
        await trio.sleep(0.1)
        complaints = await crowd.complaints()
        assert any(complaint in one for one in complaints), complaints
