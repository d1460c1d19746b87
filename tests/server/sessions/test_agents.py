"""Agents, codecs and providers that misbehave: only their own session pays for it (laws 5 and 9)."""

import logging
import sys
import time
from array import array
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import pytest
import trio
from glottis import Agent, AudioFrame, AuthRequest, Call, CallInfo, EncoderSettings, IceServer, Principal
from glottis.server.sessions.times import SessionTimes
from glottis.signaling.messages import Bye
from support.memory import open_memory_exchange_with
from support.phone import RATE, TONE, Exchange, Phone, eventually, installed_codec
from support.plugins import Footprint, TestPlugin, broken_codec, open_exchange_with


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


def errors(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.levelno >= logging.ERROR]


def first_of(error: BaseException | None) -> BaseException | None:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


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


async def say_half_a_sample(call: Call) -> None:
    await call.say(AudioFrame(TONE[:-1], RATE))


async def say_floating_point(call: Call) -> None:
    await call.say(AudioFrame(array("f", [0.0] * 160), RATE))  # type: ignore[arg-type]


async def send_what_is_not_json(call: Call) -> None:
    await call.send_event("odd", {"value": object()})


async def hang_up_without_words(call: Call) -> None:
    call.hang_up(None)  # type: ignore[arg-type]


def converse_at_once(call: Call) -> None:
    """Not async."""


FAILING = [
    raise_at_once,
    raise_later,
    raise_in_background,
    raise_two_at_once,
    exit_process,
    exit_in_background,
    say_at_a_wrong_rate,
    say_half_a_sample,
    say_floating_point,
    send_what_is_not_json,
    hang_up_without_words,
    converse_at_once,
]


@pytest.mark.parametrize("agent", FAILING)
async def test_an_agent_that_fails_ends_its_own_call_and_is_named(
    agent: Agent, tmp_path: Path, caplog: pytest.LogCaptureFixture, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_memory_exchange_with(tmp_path, Misfits(agent=agent)) as exchange:
        bystander = await Bystander.join(exchange)
        phone = await exchange.call("agent")
        assert await phone.wait_closed() == (1011, "internal error")
        (record,) = errors(caplog)
        assert phone.session_id in record.getMessage()
        assert "campaign agent" in record.getMessage()
        assert "plugin Misfits" in record.getMessage()
        assert record.exc_info
        assert "token=" not in caplog.text
        phone.hang_down()
        await bystander.check()


@pytest.mark.parametrize("samples", [1, 320, 1000])
async def test_samples_may_be_in_any_buffer_and_of_any_number(
    samples: int, tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async def say_mutable_bytes(call: Call) -> None:
        while True:
            await call.say(AudioFrame(bytearray(b"\x10\x27" * samples), RATE))  # type: ignore[arg-type]

    async with open_memory_exchange_with(tmp_path, Misfits(agent=say_mutable_bytes)) as exchange:
        phone = await exchange.call("agent")
        await phone.hear()
        await phone.hang_up()


async def return_at_once(call: Call) -> None:
    pass


async def never_read(call: Call) -> None:
    await trio.sleep_forever()


async def leave_tasks(call: Call) -> None:
    call.nursery.start_soon(trio.sleep_forever)
    call.nursery.start_soon(listen, call)


async def flood_say(call: Call) -> None:
    while True:
        await call.say(AudioFrame(TONE * 500, RATE))


async def flood_small_frames(call: Call) -> None:
    while True:
        await call.say(AudioFrame(TONE[:2], RATE))


async def flood_texts(call: Call) -> None:
    while True:
        await call.send_text("x" * 1000)


async def flood_events(call: Call) -> None:
    while True:
        await call.send_event("flood", {"x": "x" * 1000})


async def flush_and_hang_up_for_ever(call: Call) -> None:
    while True:
        call.flush()
        call.hang_up("once is enough")
        await trio.lowlevel.checkpoint()


async def swallow_cancellation_once(call: Call) -> None:
    with suppress(trio.Cancelled):
        await trio.sleep_forever()
    await trio.sleep_forever()


async def fail_while_cancelled(call: Call) -> None:
    try:
        await trio.sleep_forever()
    finally:
        raise RuntimeError("clean-up is out of order")


@pytest.mark.parametrize("agent", [return_at_once, leave_tasks])
async def test_the_call_ends_when_the_agent_returns(
    agent: Agent, tmp_path: Path, caplog: pytest.LogCaptureFixture, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_memory_exchange_with(tmp_path, Misfits(agent=agent)) as exchange:
        bystander = await Bystander.join(exchange)
        phone = await exchange.call("agent")
        assert await phone.wait_closed() == (1000, "the agent ended the call")
        phone.hang_down()
        await bystander.check()
    assert not errors(caplog)


@pytest.mark.parametrize(
    "agent",
    [
        *(never_read, flood_say, swallow_cancellation_once),
        *(pytest.param(agent, marks=pytest.mark.slow) for agent in (flood_small_frames, flood_texts, flood_events)),
    ],
)
async def test_an_odd_agent_disturbs_no_other_call_and_ends_with_its_own(
    agent: Agent, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_exchange_with(tmp_path, Misfits(agent=agent)) as exchange:
        bystander = await Bystander.join(exchange)
        phone = await exchange.call("agent")
        await bystander.phone.hear(10)
        assert phone.socket.closed is None
        await phone.hang_up()
        await bystander.check()
    assert not errors(caplog)


async def test_an_agent_that_fails_during_its_cancellation_is_named_too(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_memory_exchange_with(tmp_path, Misfits(agent=fail_while_cancelled)) as exchange:
        bystander = await Bystander.join(exchange)
        phone = await exchange.call("agent")
        await phone.hang_up()
        assert phone.socket.closed == (1000, "the caller hung up: enough")
        await bystander.check()
    (record,) = errors(caplog)
    assert "plugin Misfits" in record.getMessage()


async def test_hanging_up_is_done_once(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    async with open_memory_exchange_with(tmp_path, Misfits(agent=flush_and_hang_up_for_ever)) as exchange:
        phone = await exchange.call("agent")
        assert await phone.wait_closed() == (1000, "once is enough")
        assert len(phone.socket.of_type(Bye)) == 1


class Stubborn:
    """An agent that shields itself from cancellation until the test lets it go."""

    def __init__(self) -> None:
        self.released = trio.Event()

    async def __call__(self, call: Call) -> None:
        with trio.CancelScope(shield=True):
            await self.released.wait()


async def test_of_an_agent_that_does_not_stop_only_its_task_remains_and_the_log_names_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, autojump_clock: trio.testing.MockClock
) -> None:
    agent = Stubborn()
    async with open_memory_exchange_with(tmp_path, Misfits(agent=agent), times=SessionTimes(stop=0.05)) as exchange:
        bystander = await Bystander.join(exchange)
        phone = await exchange.call("agent")
        await phone.hang_up()
        gateway = exchange.gateway
        await eventually(lambda: (len(gateway.sessions), gateway.endpoint.sessions) == (1, 1), 1)
        await eventually(lambda: errors(caplog))
        (record,) = errors(caplog)
        assert "agent agent of plugin Misfits" in record.getMessage()
        assert phone.session_id in record.getMessage()
        assert not await gateway.stop(grace=0)
        agent.released.set()
        assert await bystander.phone.wait_closed() == (1012, "the gateway stops")


async def test_agents_that_do_not_stop_count_as_calls_so_that_they_cannot_pile_up(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    agent = Stubborn()
    async with open_memory_exchange_with(
        tmp_path, Misfits(agent=agent), "max_sessions = 1", times=SessionTimes(stop=0.05)
    ) as exchange:
        phone = await exchange.call("agent")
        await phone.hang_up()
        assert (await exchange.post()).document["code"] == "FULL"
        agent.released.set()
        await eventually(lambda: exchange.gateway.sessions.unavailability() is None)
        assert (await exchange.post()).status == 200


@pytest.mark.slow
async def test_an_agent_that_blocks_the_thread_is_seen_in_the_log_and_delays_the_others_only(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def block(call: Call) -> None:
        time.sleep(0.3)  # noqa: ASYNC251 that is what it does
        await listen(call)

    async with open_exchange_with(tmp_path, Misfits(agent=block)) as exchange:
        bystander = await Bystander.join(exchange)
        phone = await exchange.call("agent")
        await bystander.phone.hear(10)
        await phone.hang_up()
        await bystander.check()
    assert any("the event loop was blocked for" in record.getMessage() for record in caplog.records)
    assert not errors(caplog)


# Codecs


@pytest.mark.parametrize(
    ("method", "result", "complaint"),
    [
        ("encode", None, "encode: expected bytes or another buffer, got NoneType"),
        ("encode", bytes(1345), "encode: a packet holds 1344 bytes, not 1345"),
        ("decode", "sound", "decode: expected bytes or another buffer, got str"),
        ("decode", bytes(639), "decode returned 639 bytes, which are not whole samples"),
    ],
)
async def test_a_codec_that_returns_what_it_must_not_is_named(
    method: str,
    result: object,
    complaint: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    autojump_clock: trio.testing.MockClock,
) -> None:
    codec = broken_codec("", RuntimeError)
    mute: Any = codec.create_encoder(EncoderSettings(RATE, 20))
    setattr(mute, method, lambda *_: result)
    codec = replace(codec, create_encoder=lambda _: mute, create_decoder=lambda _: mute)
    async with open_memory_exchange_with(tmp_path, Misfits(codecs=[codec])) as exchange:
        phone = exchange.phone(replace(installed_codec("PCMU"), encoding_name="X-BROKEN", static_payload_type=None))
        await phone.create()
        await phone.open_socket()
        await phone.send_offer()
        await phone.take_answer()
        assert await phone.wait_closed() == (1011, "internal error")
        phone.hang_down()
    (record,) = errors(caplog)
    assert "failed in plugin Misfits (given directly): codec X-BROKEN: " + complaint in record.getMessage()


# Auth schemes and providers of ICE servers


class Scheme:
    """An auth scheme that works until a test breaks it."""

    def __init__(self) -> None:
        self.authenticate = self.accept

    async def accept(self, request: AuthRequest) -> Principal | None:
        return Principal("tester")

    async def raise_error(self, *_: object) -> NoReturn:
        raise RuntimeError("scheme out of order, secret=hunter2")

    async def exit_process(self, *_: object) -> NoReturn:
        sys.exit("scheme out of order")

    async def hang(self, *_: object) -> NoReturn:
        await trio.sleep_forever()
        raise AssertionError


@pytest.mark.parametrize(
    ("failure", "status"),
    [("raise_error", 500), ("exit_process", 500), pytest.param("hang", 503, marks=pytest.mark.slow)],
)
async def test_an_auth_scheme_that_fails_creates_no_session(
    failure: str,
    status: int,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    autojump_clock: trio.testing.MockClock,
) -> None:
    scheme = Scheme()
    async with open_memory_exchange_with(tmp_path, Misfits(auth_scheme=scheme)) as exchange:
        bystander = await Bystander.join(exchange)
        working = scheme.authenticate
        scheme.authenticate = getattr(scheme, failure)
        reply = await exchange.post()
        assert reply.status == status
        assert b"out of order" not in reply.body
        assert len(errors(caplog)) == 1
        assert failure == "hang" or "plugin Misfits (given directly): authenticate raised " in caplog.text
        assert len(exchange.gateway.sessions) == 1
        scheme.authenticate = working
        await bystander.check()
        assert (await exchange.post()).status == 200


async def test_an_auth_scheme_that_is_not_async_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, autojump_clock: trio.testing.MockClock
) -> None:
    scheme = Scheme()
    scheme.authenticate = lambda *_: Principal("tester")  # type: ignore[assignment]
    async with open_memory_exchange_with(tmp_path, Misfits(auth_scheme=scheme)) as exchange:
        assert (await exchange.post()).status == 500
    (record,) = errors(caplog)
    assert record.exc_info is not None
    complaint = "plugin Misfits (given directly): authenticate raised TypeError: it must be async"
    assert str(first_of(record.exc_info[1])) == complaint


async def test_an_auth_scheme_whose_answer_is_no_principal_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, autojump_clock: trio.testing.MockClock
) -> None:
    class Credulous(Scheme):
        async def accept(self, request: AuthRequest) -> Any:
            return "tester"

    async with open_memory_exchange_with(tmp_path, Misfits(auth_scheme=Credulous())) as exchange:
        assert (await exchange.post()).status == 500
    (record,) = errors(caplog)
    assert record.exc_info is not None
    assert "authenticate returned str, expected a Principal or None" in str(record.exc_info[1])


class Provider:
    """A provider of ICE servers that fails as it is told."""

    def __init__(self, fail: Callable[[], Awaitable[object]]) -> None:
        self._fail = fail

    async def get_ice_servers(self, call_info: CallInfo) -> list[IceServer]:
        await self._fail()
        return [IceServer(("stun:stun.example",))]


@pytest.mark.parametrize("failure", ["raise_error", "exit_process", "hang"])
async def test_a_provider_that_fails_neither_fails_nor_delays_the_call(
    failure: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, autojump_clock: trio.testing.MockClock
) -> None:
    provider = Provider(getattr(Scheme(), failure))
    async with open_memory_exchange_with(
        tmp_path, Misfits(ice_servers=provider), times=SessionTimes(providers=0.05)
    ) as exchange:
        reply = await exchange.post()
        assert (reply.status, reply.document["iceServers"]) == (200, [])
        phone = await exchange.call()
        await phone.hear()
    assert any("left out" in record.getMessage() for record in caplog.records)
