"""Whatever a plugin raises, wherever: the smallest owner ends, the plugin is named, and the gateway goes on."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import pytest
import trio
from glottis import Agent, AuthRequest, Call, CallInfo, IceServer, Principal
from glottis.server.sessions.session import Session
from glottis.server.sessions.states import SessionState
from support.errors import ERRORS, Shapeless, nested
from support.memory import open_memory_exchange_with
from support.phone import Exchange, eventually, installed_codec
from support.plugins import Footprint, TestPlugin, broken_codec

pytestmark = pytest.mark.slow

MakeError = Callable[[], BaseException]
PANIC = ERRORS["panic"]
"""Of agents all errors are tried; of other plugins, beside a crowd, in ``tests/isolation``."""

GOOD = IceServer(("stun:stun.example",))


class Misfits(TestPlugin):
    """The plugin of this test."""


class Scheme:
    """An auth scheme that fails as it is told."""

    def __init__(self) -> None:
        self.failure: MakeError | None = None

    async def authenticate(self, request: AuthRequest) -> Principal | None:
        if self.failure is not None:
            raise self.failure()
        return Principal("tester")


class Provider:
    """A provider of ICE servers that answers with what it makes, or raises it."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make

    async def get_ice_servers(self, call_info: CallInfo) -> list[IceServer]:
        await trio.lowlevel.checkpoint()
        answer = self._make()
        if isinstance(answer, BaseException):
            raise answer
        return answer  # type: ignore[no-any-return]


@asynccontextmanager
async def beside_a_call(directory: Any, plugin: TestPlugin) -> AsyncIterator[Exchange]:
    """A gateway with another call, which is the only one left in the end, and still heard."""
    async with open_memory_exchange_with(directory, plugin) as exchange:
        bystander = await exchange.call("echo")
        await bystander.hear()
        footprint = Footprint.of(exchange.gateway)
        yield exchange
        await bystander.hear()
        await eventually(lambda: Footprint.of(exchange.gateway) == footprint)
        assert bystander.socket.closed is None
        assert not bystander.errors
        assert (await exchange.post()).status == 200


def end_waiting(exchange: Exchange) -> None:
    """The sessions that no client has come to."""
    for session in exchange.gateway.sessions:
        if session.state is SessionState.CREATED:
            session.end("nobody came")


def errors(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_a_request_that_makes_a_scheme_fail_gets_a_500(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, autojump_clock: trio.testing.MockClock
) -> None:
    scheme = Scheme()
    async with beside_a_call(tmp_path, Misfits(auth_scheme=scheme)) as exchange:
        scheme.failure = PANIC
        reply = await exchange.post()
        assert (reply.status, reply.document["code"]) == (500, "INTERNAL_ERROR")
        assert len(exchange.gateway.sessions) == 1
        scheme.failure = None
    [record] = errors(caplog)
    assert " failed in plugin Misfits (given directly): authenticate raised " in record.getMessage()


async def test_a_session_does_without_a_provider_that_fails(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, autojump_clock: trio.testing.MockClock
) -> None:
    async with beside_a_call(tmp_path, Misfits(ice_servers=Provider(PANIC))) as exchange:
        reply = await exchange.post()
        assert (reply.status, reply.document["iceServers"]) == (200, [])
        end_waiting(exchange)
    assert {record.getMessage() for record in errors(caplog)} == {
        "ICE servers left out: plugin Misfits (given directly) failed"
    }


async def test_a_session_whose_own_barrier_fails_ends_alone(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def run(session: Session) -> NoReturn:
        await trio.lowlevel.checkpoint()
        session.end("broken")
        raise SystemExit("a bug")

    async with beside_a_call(tmp_path, Misfits()) as exchange:
        monkeypatch.setattr(Session, "run", run)
        await exchange.post()
        await eventually(lambda: "SystemExit: a bug" in caplog.text)
        monkeypatch.undo()


class Nonsense(IceServer):
    """Raises when it is put into words."""

    def __init__(self) -> None:
        """It has nothing."""

    @property
    def urls(self) -> Any:
        raise SystemExit


@pytest.mark.parametrize(
    ("answer", "complaints"),
    [
        (None, 1),  # until it has succeeded
        (GOOD, 1),
        ((server for server in [GOOD]), 1),
        ([None, GOOD], 6),  # the gateway's own, the bystander's, three, and one more in the end
        ([Nonsense(), GOOD], 6),
        ([GOOD] * 100_000, 6),
    ],
    ids=["nothing", "no list", "generator", "wrong item", "trap", "too many"],
)
async def test_whatever_a_provider_answers_no_session_is_left_behind(
    answer: object,
    complaints: int,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with beside_a_call(tmp_path, Misfits(ice_servers=Provider(lambda: answer))) as exchange:
        for _ in range(3):
            reply = await exchange.post()
            assert reply.status == 200
            assert all(server == {"urls": ["stun:stun.example"]} for server in reply.document["iceServers"])
            assert len(reply.document["iceServers"]) <= 32
        assert len(exchange.gateway.sessions) == 4
        end_waiting(exchange)
    assert all("plugin Misfits (given directly)" in record.getMessage() for record in errors(caplog))
    assert len(errors(caplog)) == complaints


@pytest.mark.parametrize("method", ["create", "encode", "decode"])
async def test_a_call_whose_codec_fails_ends(
    method: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, autojump_clock: trio.testing.MockClock
) -> None:
    async with beside_a_call(tmp_path, Misfits(codecs=[broken_codec(method, PANIC)])) as exchange:
        phone = exchange.phone(replace(installed_codec("PCMU"), encoding_name="X-BROKEN", static_payload_type=None))
        await phone.create()
        await phone.open_socket()
        await phone.send_offer()
        await phone.take_answer()
        assert await phone.wait_closed() == (1011, "internal error")
        phone.hang_down()
    [record] = errors(caplog)
    assert "failed in plugin Misfits (given directly)" in record.getMessage()


async def in_the_agent(call: Call, make: MakeError) -> None:
    raise make()


async def in_its_background(call: Call, make: MakeError) -> None:
    call.nursery.start_soon(in_the_agent, call, make)
    await trio.sleep_forever()


async def in_a_nursery_of_its_own(call: Call, make: MakeError) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(in_its_background, call, make)


async def test_a_cancellation_that_an_agent_has_kept_ends_its_call(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, autojump_clock: trio.testing.MockClock
) -> None:
    async def agent(call: Call) -> None:
        with trio.CancelScope() as scope:
            scope.cancel()
            try:
                await trio.lowlevel.checkpoint()
            except trio.Cancelled as cancelled:
                kept = cancelled
        raise kept

    async with beside_a_call(tmp_path, Misfits(agent=agent)) as exchange:
        phone = await exchange.call("agent")
        assert await phone.wait_closed() == (1011, "internal error")
        phone.hang_down()
    [record] = errors(caplog)
    assert "plugin Misfits (given directly)" in record.getMessage()


async def while_it_is_cancelled(call: Call, make: MakeError) -> None:
    call.hang_up()
    try:
        await trio.sleep_forever()
    finally:
        raise make()


async def in_its_background_at_start(call: Call, make: MakeError) -> None:
    async def start(task_status: trio.TaskStatus[None]) -> None:
        raise make()

    await call.nursery.start(start)


async def in_its_background_after_start(call: Call, make: MakeError) -> None:
    async def start(task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        raise make()

    await call.nursery.start(start)
    await trio.sleep_forever()


PLACES = [
    in_the_agent,
    in_its_background,
    in_its_background_at_start,
    in_its_background_after_start,
    in_a_nursery_of_its_own,
    while_it_is_cancelled,
]


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)
async def test_calls_whose_agents_fail_end(
    place: Callable[..., Awaitable[None]],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    autojump_clock: trio.testing.MockClock,
) -> None:
    kinds = list(ERRORS)
    if place is while_it_is_cancelled:
        kinds.remove("kept Cancelled")  # which nobody could tell from its cancellation
    waiting = iter(kinds)

    async def agent(call: Call) -> None:
        await place(call, ERRORS[next(waiting)])

    async with beside_a_call(tmp_path, Misfits(agent=agent)) as exchange:
        for kind in kinds:
            caplog.clear()
            phone = await exchange.call("agent")
            end = await phone.wait_closed()
            phone.hang_down()
            expected = (1000, "agent hung up") if place is while_it_is_cancelled else (1011, "internal error")
            assert end == expected, kind
            await eventually(lambda: errors(caplog))
            [record] = errors(caplog)
            assert "failed in plugin Misfits (given directly)" in record.getMessage(), kind


async def by_never_leaving_one(call: Call) -> None:
    await trio.open_nursery().__aenter__()
    raise ValueError


async def by_what_cannot_be_shown(call: Call) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep_forever)
        raise Shapeless


async def by_a_deep_group(call: Call) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep_forever)
        raise nested(3000)


@pytest.mark.parametrize("agent", [by_never_leaving_one, by_what_cannot_be_shown, by_a_deep_group])
async def test_an_agent_that_breaks_its_own_scopes_breaks_no_others(
    agent: Agent, tmp_path: Path, caplog: pytest.LogCaptureFixture, autojump_clock: trio.testing.MockClock
) -> None:
    """trio notices when the agent's task has ended, and lets what is around it fail."""
    async with beside_a_call(tmp_path, Misfits(agent=agent)) as exchange:
        phone = await exchange.call("agent")
        assert await phone.wait_closed() == (1011, "internal error")
        phone.hang_down()
    [failure, consequence] = errors(caplog)
    assert "failed in plugin Misfits (given directly)" in failure.getMessage()
    assert "Nursery misnesting detected" in logging.Formatter().format(consequence)
