"""Agents, codecs and providers that misbehave: only their own session pays for it (DESIGN, laws 5 and 9)."""

import logging
import sys

import pytest
import trio
from glottis import AudioFrame, Call
from support.phone import Exchange, Phone, eventually
from support.plugins import Footprint, TestPlugin, open_exchange_with


class Misfits(TestPlugin):
    """The plugin of this test."""


class Bystander:
    """Another call on the same gateway."""

    def __init__(self, phone: Phone) -> None:
        self.phone = phone
        self.footprint = Footprint.of(phone.exchange.gateway)

    @classmethod
    async def join(cls, exchange: Exchange) -> "Bystander":
        phone = await exchange.call("echo")
        await phone.hear()
        return cls(phone)

    async def check(self) -> None:
        """Its own call is the only one left, and goes on."""
        await self.phone.hear()
        gateway = self.phone.exchange.gateway
        await eventually(lambda: Footprint.of(gateway) == self.footprint, 3)
        assert not self.phone.errors
        assert self.phone.socket.closed is None


async def listen(call: Call) -> None:
    async for _ in call.audio:
        pass


async def raise_at_once(call: Call) -> None:
    raise RuntimeError("out of order")


async def raise_later(call: Call) -> None:
    await anext(aiter(call.audio))
    raise RuntimeError("out of order")


async def raise_in_background(call: Call) -> None:
    call.nursery.start_soon(raise_later, call)
    await trio.sleep_forever()


async def raise_two_at_once(call: Call) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(raise_at_once, call)
        nursery.start_soon(raise_at_once, call)


async def exit_process(call: Call) -> None:
    sys.exit("out of order")


async def exit_in_background(call: Call) -> None:
    call.nursery.start_soon(exit_process, call)
    await listen(call)


async def say_at_a_wrong_rate(call: Call) -> None:
    await call.say(AudioFrame(bytes(2), 11025))


async def send_what_is_not_json(call: Call) -> None:
    await call.send_event("odd", {"value": object()})


FAILING = [
    raise_at_once,
    raise_later,
    raise_in_background,
    raise_two_at_once,
    exit_process,
    exit_in_background,
    say_at_a_wrong_rate,
    send_what_is_not_json,
]


@pytest.mark.parametrize("agent", FAILING)
async def test_an_agent_that_fails_ends_its_own_call_and_is_named(agent, tmp_path, caplog):
    async with open_exchange_with(tmp_path, Misfits(agent=agent)) as exchange:
        bystander = await Bystander.join(exchange)
        phone = await exchange.call("agent")
        assert await phone.wait_closed() == (1011, "internal error")
        (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
        assert phone.session_id in record.getMessage()
        assert "campaign agent" in record.getMessage()
        assert "plugin Misfits" in record.getMessage()
        assert record.exc_info
        assert "token=" not in caplog.text
        phone.hang_down()
        await bystander.check()
