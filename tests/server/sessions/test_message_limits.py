"""What the client does not take is the client's limit, and nobody's failure."""

import logging
import re
from pathlib import Path

import pytest
import trio
import trio.testing
from glottis import Call, MessageTooLong
from glottis.calls.messenger import GREETING
from glottis.sctp import ChannelOpened, DataChannel, TextReceived
from support.memory import open_memory_exchange_with
from support.phone import Exchange, Phone, eventually
from support.plugins import TestPlugin


class Speaker(TestPlugin):
    """The plugin of this test."""


async def call(exchange: Exchange, campaign: str, limit: int) -> tuple[Phone, DataChannel]:
    """A call of a client that takes data channel messages of so many bytes, and its channel."""
    phone = exchange.phone()
    make_offer = phone.peer.make_offer
    phone.peer.make_offer = lambda: make_offer().replace(  # type: ignore[method-assign]
        "a=max-message-size:262144", f"a=max-message-size:{limit}"
    )
    await phone.connect(campaign)
    assert phone.peer.channels is not None
    channel = phone.peer.channels.open("chat")
    phone.driver.pump()
    await eventually(lambda: ChannelOpened(channel) in phone.events)
    return phone, channel


def problems(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """But of a machine that is busy with other things."""
    stalls = "glottis.server.runtime.stall_log"
    return [record for record in caplog.records if record.levelno >= logging.WARNING and record.name != stalls]


async def test_a_client_that_takes_no_greeting_gets_none_and_is_served(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_memory_exchange_with(tmp_path, Speaker()) as exchange:
        phone, channel = await call(exchange, "echo", 5)
        channel.send_text("hello")
        phone.driver.pump()
        await eventually(lambda: TextReceived(channel, "hello") in phone.events)
        assert TextReceived(channel, GREETING) not in phone.events
        await phone.hear()
    assert not problems(caplog)


async def test_an_agent_that_sends_more_than_the_client_takes_is_told_the_limit(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, autojump_clock: trio.testing.MockClock
) -> None:
    async def agent(call: Call) -> None:
        async for _ in call.messages:
            try:
                await call.send_text("more than five")
            except MessageTooLong as error:
                limit = re.search("at most ([0-9]+) bytes", str(error))
                await call.send_text(limit[1] if limit else "?")

    async with open_memory_exchange_with(tmp_path, Speaker(agent=agent)) as exchange:
        phone, channel = await call(exchange, "agent", 5)
        channel.send_text("go")
        phone.driver.pump()
        await eventually(lambda: TextReceived(channel, "5") in phone.events)
    assert not problems(caplog)


@pytest.mark.parametrize("way", ["text", "event", "bytes", "background"])
async def test_an_agent_that_does_not_catch_it_ends_its_call_with_the_limit(
    way: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, autojump_clock: trio.testing.MockClock
) -> None:
    async def agent(call: Call) -> None:
        await anext(aiter(call.messages))
        if way == "text":
            await call.send_text("more than five")
        elif way == "event":
            await call.send_event("x", {})
        elif way == "bytes":
            await call.send_bytes(bytes(14))
        call.nursery.start_soon(call.send_text, "more than five")
        async for _ in call.audio:
            pass

    async with open_memory_exchange_with(tmp_path, Speaker(agent=agent)) as exchange:
        phone, channel = await call(exchange, "agent", 5)
        channel.send_text("go")
        phone.driver.pump()
        length = len('{"type":"event","name":"x","data":{}}') if way == "event" else 14
        limit = f"the peer takes messages of at most 5 bytes, not {length}"
        assert await phone.wait_closed() == (1000, f"the agent's message is longer than the caller takes: {limit}")
    [record] = problems(caplog)
    assert record.levelname == "WARNING"
    blame = "agent agent of plugin Speaker (given directly) sends more than the caller takes"
    assert record.getMessage().endswith(f"(campaign agent): {blame}: {limit}")


async def test_an_agent_with_messages_waiting_is_told_that_there_is_room_to_answer(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async def agent(call: Call) -> None:
        async for _ in call.messages:
            await call.send_text("x" * 100_000)

    async with open_memory_exchange_with(tmp_path, Speaker(agent=agent)) as exchange:
        phone, channel = await call(exchange, "agent", 262144)
        for _ in range(10):  # the answers fill what may wait nearly four times
            channel.send_text("?")
        phone.driver.pump()
        await eventually(lambda: sum(isinstance(event, TextReceived) for event in phone.events) == 1 + 10)
