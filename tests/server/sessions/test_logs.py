"""What the log has of a call: each record says whose it is, and none tells a secret."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio
from glottis import Call
from glottis.config.logs import JsonFormatter
from glottis.contracts.notes import TOPICS, TRACE_LOGGER
from support.http import request
from support.memory import open_memory_exchange_with
from support.plugins import TestPlugin

agent_logger = logging.getLogger("the.agent")


class Lines(logging.Handler):
    """What would be written, as JSON."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(JsonFormatter("2"))
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return map(json.loads, self.lines)


@pytest.fixture
def lines() -> Iterator[Lines]:
    """At the lowest level."""
    loggers = [logging.getLogger(), *(logging.getLogger(f"{TRACE_LOGGER}.{topic}") for topic in TOPICS)]
    levels, handler = [logger.level for logger in loggers], Lines()
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    loggers[0].addHandler(handler)
    yield handler
    loggers[0].removeHandler(handler)
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


async def broken(call: Call) -> None:
    agent_logger.info("hello")
    async for frame in call.audio:
        await call.say(frame)
        if max(frame.samples) > 1000:
            call.nursery.start_soon(fail)


async def fail() -> None:
    raise ValueError("no more")


async def test_each_record_of_a_call_has_its_session_campaign_and_request_and_none_a_secret(
    tmp_path: Path, autojump_clock: trio.testing.MockClock, lines: Lines
) -> None:
    async with open_memory_exchange_with(tmp_path, TestPlugin(broken=broken)) as exchange:
        phone = await exchange.call("broken")
        secrets = [
            *(one.partition("token=")[2] for one in (phone.url, phone.socket.events("resume")[-1]["websocketUrl"])),
            phone.peer.transport.ice.local_pwd,
            *(line.partition(":")[2] for line in phone.offer.splitlines() if line.startswith("a=ice-pwd")),
        ]
        phone.speaking = True
        await phone.wait_closed()
    told = [one for one in lines if one["message"].startswith(f"session {phone.session_id}")]
    assert len(told) > 20
    (created,) = [one for one in told if " of campaign " in one["message"]]
    for one in (*told, *(one for one in lines if one["logger"] == "the.agent")):
        assert one.get("session") == phone.session_id, one
        assert one["campaign"] == "broken"
        assert (one["worker"], one["process"] > 0) == ("2", True)
    (agents,) = [one for one in lines if one["logger"] == "the.agent"]
    assert agents["request"] == created["request"], "which asked for the session"
    assert any("no more" in one.get("exception", "") for one in told)
    text = "\n".join(lines.lines)
    assert all(secret and secret not in text for secret in secrets)


@pytest.mark.parametrize(
    ("sent", "is_taken"), [("trace-7.x", True), ("two words", False), ("a" * 200, False), ('"}\\', False), ("", False)]
)
async def test_a_request_keeps_the_id_that_it_came_with_if_that_is_harmless(
    tmp_path: Path, autojump_clock: trio.testing.MockClock, lines: Lines, sent: str, is_taken: bool
) -> None:
    async with open_memory_exchange_with(tmp_path, TestPlugin()) as exchange:
        reply = await request(exchange.gateway, "GET", "/nowhere", connect=exchange.network.connect, x_request_id=sent)
    (refused,) = [one for one in lines if "404 NOT_FOUND" in one["message"]]
    assert refused["request"] == reply.headers["x-request-id"]
    assert (reply.headers["x-request-id"] == sent) is is_taken
    assert len(reply.headers["x-request-id"]) >= 9
