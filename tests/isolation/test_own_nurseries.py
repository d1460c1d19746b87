"""A nursery that an agent opens itself may get any error: it ends this call, and no other."""

import logging
from pathlib import Path

import pytest
import trio
import trio.testing
from glottis import Agent, Call
from support.errors import ERRORS
from support.memory import open_memory_exchange_with
from support.plugins import TestPlugin


class Careless(TestPlugin):
    """The plugin of this test."""


WAYS = ("in a task", "in a task that is waited for", "in its block", "in a task of a task")


def failing(way: str, name: str) -> Agent:
    """An agent that raises an error of this name in a nursery of its own."""

    async def fail(task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        await trio.lowlevel.checkpoint()
        raise ERRORS[name]()

    async def fail_below() -> None:
        async with trio.open_nursery() as inner:
            inner.start_soon(fail)

    async def agent(call: Call) -> None:
        await anext(aiter(call.audio))
        async with trio.open_nursery() as own:
            own.start_soon(trio.sleep_forever)
            if way == "in its block":
                raise ERRORS[name]()
            if way == "in a task that is waited for":
                await own.start(fail)
            own.start_soon(fail if way == "in a task" else fail_below)
            await trio.sleep_forever()

    return agent


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["ValueError", "SystemExit", "deep group", "mute", "shapeless"])
async def test_any_error_in_it_ends_this_call_alone(
    way: str, name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_memory_exchange_with(tmp_path, Careless(agent=failing(way, name))) as exchange:
        other = await exchange.call()
        phone = await exchange.call("agent")
        _, reason = await phone.wait_closed()
        assert reason == "internal error"
        await other.hear(5)
    failure, *_ = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert "failed in plugin Careless" in failure
