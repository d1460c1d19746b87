"""A call goes from agent to agent, and nothing that its caller sends is lost between them."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio.testing
from glottis import AgentSpec, Call, CallInfo, TextMessage, hookimpl
from glottis.signaling.messages import Text
from support.gateway import CONFIG
from support.http import request
from support.memory import open_memory_exchange
from support.phone import TONE, eventually

Clock = trio.testing.MockClock

HOUSE = (
    CONFIG
    + """
[campaigns.house]
agent = "front"
[campaigns.house.agents.back]
agent = "worker"
settings = { words = "hi" }
[campaigns.house.agents.broken]
agent = "broken"
"""
)


class Words(msgspec.Struct, frozen=True, kw_only=True):
    words: str


class House:
    """The front hands calls to whom the caller writes; the worker answers, counts frames, and may give calls back."""

    def __init__(self) -> None:
        self.seen: list[object] = []
        self.frames = 0
        self.left = trio.Event()
        """The front's background task has ended."""

    async def front(self, call: Call) -> None:
        self.seen.append((call.agents, call.info.campaign_settings))
        call.nursery.start_soon(self._wait_beside)
        async for message in call.messages:
            assert isinstance(message, TextMessage)
            if message.text == "function":
                call.transfer(self.function)
            else:
                call.transfer(message.text)
            await trio.sleep_forever()

    async def _wait_beside(self) -> None:
        try:
            await trio.sleep_forever()
        finally:
            self.left.set()

    async def worker(self, call: Call) -> None:
        self.seen.append(call.info.campaign_settings)
        call.nursery.start_soon(self._count, call)
        async for message in call.messages:
            assert isinstance(message, TextMessage)
            if message.text == "front":
                call.transfer("front")
                return
            await call.send_text(f"worker: {message.text}")

    async def _count(self, call: Call) -> None:
        async for _ in call.audio:
            self.frames += 1

    async def broken(self, call: Call) -> None:
        raise RuntimeError("out of order")

    async def function(self, call: Call) -> None:
        await call.send_text("function")

    @hookimpl
    def register_agents(self) -> Sequence[AgentSpec]:
        return [
            AgentSpec("front", lambda settings: self.front),
            AgentSpec("worker", lambda settings: self.worker, Words),
            AgentSpec("broken", lambda settings: self.broken),
        ]


async def test_nothing_is_lost_on_the_way_to_another_agent_and_back(tmp_path: Path, autojump_clock: Clock) -> None:
    house = House()
    async with open_memory_exchange(tmp_path, HOUSE, [house]) as exchange:
        phone = await exchange.call("house")
        for text in ("back", "one", "two", "front", "back", "three"):
            await phone.socket.send(Text(text))
        await eventually(lambda: len(phone.socket.of_type(Text)) == 3)
        assert [message.text for message in phone.socket.of_type(Text)] == [
            "worker: one",
            "worker: two",
            "worker: three",
        ]
        assert house.left.is_set()
        back = Words(words="hi")
        front: object = ("front", "back", "broken"), {}
        assert house.seen == [front, back, front, back]
        await eventually(lambda: house.frames > 10)
        await phone.hang_up()


async def test_call_can_be_handed_to_a_function_and_ends_with_it(tmp_path: Path, autojump_clock: Clock) -> None:
    async with open_memory_exchange(tmp_path, HOUSE, [House()]) as exchange:
        phone = await exchange.call("house")
        await phone.socket.send(Text("function"))
        assert await phone.wait_closed() == (1000, "the agent ended the call")
        assert [message.text for message in phone.socket.of_type(Text)] == ["function"]
        phone.hang_down()


@pytest.mark.parametrize(("name", "blamed"), [("broken", "broken"), ("nobody", "front")])
async def test_who_has_the_call_is_blamed_and_the_trace_says_who_had_it(
    name: str, blamed: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, autojump_clock: Clock
) -> None:
    caplog.set_level(logging.ERROR)
    async with open_memory_exchange(tmp_path, HOUSE, [House()]) as exchange:
        phone = await exchange.call("house")
        await phone.socket.send(Text(name))
        assert await phone.wait_closed() == (1011, "internal error")
        phone.hang_down()
        page = await request(
            exchange.gateway, "GET", f"/api/sessions/{phone.session_id}/trace", connect=exchange.network.connect
        )
    assert f"in {blamed}" in caplog.text
    assert (f"handed over to agent {name} of plugin House" in page.body.decode()) == (name == "broken")


async def test_who_hangs_up_in_the_middle_reaches_no_other_agent(tmp_path: Path, autojump_clock: Clock) -> None:
    class Leaving(House):
        async def front(self, call: Call) -> None:
            call.transfer("back")
            call.hang_up("enough")

    house = Leaving()
    async with open_memory_exchange(tmp_path, HOUSE, [house]) as exchange:
        phone = await exchange.call("house")
        assert await phone.wait_closed() == (1000, "enough")
        phone.hang_down()
    assert house.seen == []


BRIDGES: Any = CONFIG + "".join(
    f"""
[campaigns.{name}]
agent = "bridge"
sample_rate = {rate}
settings = {{ line = "both" }}
"""
    for name, rate in {"wide": 16000, "narrow": 8000}.items()
)


@pytest.mark.slow
async def test_callers_by_webrtc_and_by_websocket_talk_at_different_rates(
    tmp_path: Path, autojump_clock: Clock
) -> None:
    async with open_memory_exchange(tmp_path, BRIDGES) as exchange:
        wide = await exchange.call("wide")
        narrow = exchange.phone()
        audio = {"inputCodec": "PCM", "outputCodec": "PCM", "sampleRate": 8000}
        await narrow.create("narrow", transportType="WebSocket", audioConfig=audio)
        socket = await narrow.open_socket()
        await eventually(lambda: {"state": "joined"} in socket.events("bridge"))
        for _ in range(100):
            await socket.send(TONE)
            await trio.sleep(0.02)
        heard = socket.heard
        assert len(heard) > 8000  # half a second of the tone that the other speaks, at its own rate
        assert max(heard[1::2]) > 0
        assert wide.heard > 50
        await socket.send(Text("hello"))
        await eventually(lambda: wide.socket.of_type(Text))
        await wide.hang_up()
        assert await narrow.wait_closed() == (1000, "the agent ended the call")
        narrow.hang_down()


class Selecting(House):
    """Selects as it is told."""

    def __init__(self, select: Callable[[], Any]) -> None:
        super().__init__()
        self._select = select
        self.available: Sequence[str] = ()

    @hookimpl
    def select_agent(self, call_info: CallInfo, available: Sequence[str]) -> Any:
        self.available = available
        return self._select()


SELECTED = HOUSE.replace('agent = "front"', 'agent = "front"\nextensions = ["Selecting"]')


async def test_extension_selects_who_answers(tmp_path: Path, autojump_clock: Clock) -> None:
    house = Selecting(lambda: "back")
    async with open_memory_exchange(tmp_path, SELECTED, [house]) as exchange:
        phone = await exchange.call("house")
        await phone.socket.send(Text("one"))
        await eventually(lambda: phone.socket.of_type(Text) == [Text("worker: one")])
        await phone.hang_up()
    assert house.available == ("front", "back", "broken")
    assert house.seen == [Words(words="hi")]


def fail() -> None:
    raise RuntimeError("no idea")


@pytest.mark.parametrize(
    ("select", "complaint"),
    [
        (lambda: None, ""),
        (lambda: "nobody", "select_agent returned 'nobody'; available: front, back, broken"),
        (lambda: 7, "select_agent returned int, expected the name of an agent, or None"),
        (fail, "select_agent raised RuntimeError: no idea"),
    ],
)
async def test_without_a_good_answer_it_is_the_campaigns_own_agent_and_a_wrong_one_is_named(
    select: Callable[[], Any],
    complaint: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    autojump_clock: Clock,
) -> None:
    house = Selecting(select)
    async with open_memory_exchange(tmp_path, SELECTED, [house]) as exchange:
        phone = await exchange.call("house")
        await eventually(lambda: house.seen)
        await phone.hang_up()
    assert house.seen == [(("front", "back", "broken"), {})]
    told = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert len(told) == bool(complaint)
    assert not complaint or f"plugin Selecting (given directly): {complaint}" in caplog.text
