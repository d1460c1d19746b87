"""Nodes that are lost again and again, by a clock that jumps."""

import pytest
import trio
import trio.testing
from glottis_cluster.losses import CALM, MOST, Losses


async def test_who_has_stayed_for_a_while_is_told_anew(
    caplog: pytest.LogCaptureFixture, autojump_clock: trio.testing.MockClock
) -> None:
    losses = Losses()
    for _ in range(50):
        losses.note("starving", 1)
        await trio.sleep(CALM / 2)
    assert len(caplog.messages) == 2
    await trio.sleep(CALM)
    losses.note("starving", 7)
    assert caplog.messages[2:] == ["node starving is lost; sessions that have ended with it: 7"]


async def test_only_so_many_are_remembered(caplog: pytest.LogCaptureFixture) -> None:
    losses = Losses()
    for number in (*range(MOST + 1), 0, MOST):
        losses.note(str(number), 0)
    assert [message.split(";")[0] for message in caplog.messages[-2:]] == [
        "node 0 is lost",
        f"node {MOST} was there again, and is lost once more, with 0 sessions: it has too little processor time "
        "or its network breaks",
    ]
