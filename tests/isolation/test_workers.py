"""An agent in processes of its own: whatever becomes of one ends the calls in it, and no others."""

import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from glottis import (
    AudioFrame,
    Direction,
    FrameTap,
    Message,
    Statistics,
    TextMessage,
    hookimpl,
)
from glottis.plugins import AgentFile
from glottis.signaling.close_codes import INTERNAL_ERROR
from glottis.signaling.messages import Text
from support.command import Command, open_command
from support.gateway import CONFIG, open_test_gateway
from support.http import request
from support.patience import PROCESS_PATIENCE
from support.phone import Exchange, Phone, eventually, open_exchange

pytestmark = pytest.mark.realtime

AGENT = f"{Path(__file__).parents[1] / 'support' / 'agents' / 'moody.py'}:moody"
ISOLATED = f"""
[campaigns.moody]
agent = "{AGENT}"
isolation = "process"

[campaigns.moody.workers]
processes = 2
calls_per_process = 2
memory_limit_mb = 300
patience = 60
"""
IMPATIENT = ISOLATED.replace("patience = 60", "patience = 5")
"""For those that do not answer; a busy machine keeps others waiting for a while, too."""
START = PROCESS_PATIENCE
"""Seconds for workers to start on a busy machine."""


@asynccontextmanager
async def open_isolated(directory: Path, campaign: str = ISOLATED, *plugins: object) -> AsyncIterator[Exchange]:
    """A gateway whose campaign ``moody`` has two workers, both ready."""
    async with (
        open_test_gateway(directory, CONFIG + campaign, [AgentFile(AGENT), *plugins]) as gateway,
        open_exchange(gateway) as exchange,
    ):
        await eventually(lambda: gateway.workers.ready == 2, START)
        yield exchange


async def order(phone: Phone, what: str) -> None:
    await phone.socket.send(Text(what))


async def process_of(phone: Phone) -> int:
    """The process that the agent of a call is in."""
    await order(phone, "who are you")
    await eventually(lambda: phone.socket.of_type(Text))
    return int(phone.socket.of_type(Text)[-1].text)


async def test_a_process_that_is_killed_ends_its_calls_and_has_a_successor(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_isolated(tmp_path) as exchange:
        bystander = await exchange.call("echo")
        phones = [await exchange.call("moody") for _ in range(4)]
        processes = [await process_of(phone) for phone in phones]
        assert len(set(processes)) == 2
        niceness = [os.getpriority(os.PRIO_PROCESS, process) for process in processes]
        assert niceness == [min(19, os.getpriority(os.PRIO_PROCESS, 0) + 5)] * 4
        assert (await exchange.post("moody")).status == 503
        victim = processes[0]
        os.kill(victim, signal.SIGKILL)
        for phone, process in zip(phones, processes, strict=True):
            if process == victim:
                closed = await phone.wait_closed()
                assert closed == (INTERNAL_ERROR, "the agent's process was ended by SIGKILL")
            else:
                await phone.hear()
        await bystander.hear()
        counts = exchange.gateway.counts()
        assert (counts.agent_processes_lost, counts.calls_lost_with_processes) == (1, 2)
        await eventually(lambda: exchange.gateway.workers.ready == 2, START)
        newcomer = await exchange.call("moody")
        await newcomer.hear()
    assert "moody" in caplog.text
    assert "was ended by SIGKILL" in caplog.text


LOADS = """
import os
import time
from pathlib import Path

own = os.getpid()
if own != {gateway}:
    Path(__file__).with_name(f"loaded by {{own}}").touch()
while own != {gateway} and Path(__file__).with_name("loading").exists():
    time.sleep(0.05)


async def echo(call):
    async for frame in call.audio:
        await call.say(frame)
"""
"""An agent whose processes load it as long as a file is there."""


async def test_a_caller_is_connected_only_when_there_is_a_process_to_hear_the_first_words(tmp_path: Path) -> None:
    loading, file = tmp_path / "loading", tmp_path / "loads.py"
    loading.touch()
    file.write_text(LOADS.format(gateway=os.getpid()))
    agent = AgentFile(f"{file}:echo")
    campaign = ISOLATED.replace(AGENT, agent.name)
    async with (
        open_test_gateway(tmp_path, CONFIG + campaign, [agent]) as gateway,
        open_exchange(gateway) as exchange,
        trio.open_nursery() as nursery,
    ):
        bystander = await exchange.call("echo")
        # A caller is kept waiting for 10 s; how long a process needs to come so far is for the machine to say.
        await eventually(lambda: [*tmp_path.glob("loaded by *")], START)
        phone = exchange.phone()
        nursery.start_soon(phone.connect, "moody")
        ready = await request(gateway, "GET", "/readyz")
        assert (ready.status, ready.document["code"]) == (503, "STARTING")
        await bystander.hear()
        assert len(gateway.sessions) == 1
        loading.unlink()
        await eventually(lambda: gateway.workers.ready, START)
        await phone.hear()
        assert (await request(gateway, "GET", "/readyz")).status == 200


ENDS = {
    "crash": "the agent's process was ended by SIGSEGV",
    "exit": "the agent's process has left with exit code 3",
    "leave": "internal error",
    "babble": "the agent's process told what makes no sense",
    "grow": "the agent's process has grown to",
}


async def test_whatever_a_process_does_is_told_and_no_other_call_ends(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_isolated(tmp_path) as exchange:
        bystander = await exchange.call("echo")
        for mood, reason in ENDS.items():
            phone = await exchange.call("moody")
            await order(phone, "complain")
            await phone.hear()
            await order(phone, mood)
            code, told = await phone.wait_closed(START)
            assert code == INTERNAL_ERROR
            assert told.startswith(reason)
            await bystander.hear()
            await eventually(lambda: exchange.gateway.workers.ready == 2, START)
        assert bystander.socket.closed is None
    assert "wrote: something is wrong" in caplog.text
    assert "SystemExit" in caplog.text


@pytest.mark.parametrize(
    ("orders", "reason"),
    [
        (["hang"], "the agent's process has not answered for 5 s"),
        (["deaf", *["x" * 60_000] * 15], "the agent's process has not read for 5 s what it is sent"),
    ],
    ids=["that does not answer", "that seems alive but reads nothing"],
)
async def test_a_process_that_hangs_is_ended(orders: list[str], reason: str, tmp_path: Path) -> None:
    """What waits for one that does not read would grow as long as callers write."""
    async with open_isolated(tmp_path, IMPATIENT) as exchange:
        bystander = await exchange.call("echo")
        phone = await exchange.call("moody")
        await phone.hear()
        for each in orders:
            await order(phone, each)
        assert await phone.wait_closed(START) == (INTERNAL_ERROR, reason)
        await bystander.hear()


async def test_a_process_that_says_too_much_is_read_no_faster(tmp_path: Path) -> None:
    async with open_isolated(tmp_path) as exchange:
        bystander = await exchange.call("echo")
        phone = await exchange.call("moody")
        await order(phone, "flood")
        await bystander.hear(100)
        assert phone.socket.closed is None
        await phone.hang_up()
        await bystander.hear()


class Witness:
    """An extension that counts what it sees of a call."""

    def __init__(self) -> None:
        self.frames: Counter[Direction] = Counter()
        self.seen: list[str] = []

    @hookimpl
    def audio_processors(self, direction: Direction) -> Sequence[FrameTap]:
        def count(frame: AudioFrame) -> AudioFrame:
            self.frames[direction] += 1
            return frame

        return [count]

    @hookimpl
    def session_observers(self) -> Sequence[object]:
        return [self]

    def message_received(self, message: Message) -> None:
        self.seen.append(f"received {message.text if isinstance(message, TextMessage) else ''}")

    def message_sent(self, message: Message) -> None:
        self.seen.append("sent")

    def ended(self, reason: str, statistics: Statistics) -> None:
        self.seen.append("ended")


async def test_extensions_see_calls_of_isolated_agents_too(tmp_path: Path) -> None:
    witness = Witness()
    campaign = ISOLATED.replace('isolation = "process"', 'isolation = "process"\nextensions = ["Witness"]')
    async with open_isolated(tmp_path, campaign, witness) as exchange:
        phone = await exchange.call("moody")
        await phone.hear()
        await process_of(phone)
        await phone.hang_up()
        await eventually(lambda: "ended" in witness.seen)
    assert witness.seen == ["received who are you", "sent", "ended"]
    assert min(witness.frames["input"], witness.frames["output"]) >= 3


async def test_calls_are_handed_over_within_a_process_and_extensions_choose_who_answers(tmp_path: Path) -> None:
    clerk = AGENT.replace(":moody", ":clerk")
    campaign = ISOLATED.replace('isolation = "process"', 'isolation = "process"\nextensions = ["transfer"]')
    campaign += f'\n[campaigns.moody.agents.clerk]\nagent = "{clerk}"\n'
    async with open_isolated(tmp_path, campaign, AgentFile(clerk)) as exchange:
        phone = await exchange.call("moody")
        process = await process_of(phone)
        await order(phone, "transfer")
        await eventually(lambda: Text(f"clerk in {process}") in phone.socket.messages)
        other = await exchange.call("moody", dynamicVariables={"agent": "clerk"})
        await eventually(lambda: other.socket.of_type(Text))
        assert other.socket.of_type(Text)[0].text.startswith("clerk in ")


async def test_an_agent_that_holds_the_interpreter_costs_other_calls_no_frame(tmp_path: Path) -> None:
    async with open_isolated(tmp_path) as exchange:
        bystander = await exchange.call("echo")
        phone = await exchange.call("moody")
        await phone.hear()
        held = tmp_path / "held"
        held.touch()
        await order(phone, f"spin while {held}")
        await order(phone, "who are you")
        await bystander.hear(20)
        assert not phone.socket.of_type(Text)
        held.unlink()
        await eventually(lambda: phone.socket.of_type(Text))


async def test_an_agent_that_does_not_stop_keeps_nobody_else(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with open_isolated(tmp_path) as exchange:
        phone = await exchange.call("moody")
        process = await process_of(phone)
        await order(phone, "stay")
        await eventually(lambda: Text("for ever") in phone.socket.messages)
        await phone.hang_up()
        await eventually(lambda: "has not stopped" in caplog.text)
        await eventually(lambda: not is_alive(process))


def is_alive(process: int) -> bool:
    return Path(f"/proc/{process}/stat").exists()


@asynccontextmanager
async def serving(directory: Path) -> AsyncIterator[tuple[Command, list[int]]]:
    """``glottis serve`` with a function in processes, and which they are."""
    (directory / "config.toml").write_text("[server]\nport = 0\n")
    (directory / "my.py").write_text("async def agent(call):\n    await call.drain()\n")
    arguments = ["serve", "--agent", str(directory / "my.py") + ":agent", "--isolation", "process", "--reload"]
    async with open_command(*arguments, "--config", directory / "config.toml") as command:
        await command.wait_for("glottis serves")
        await eventually(lambda: len(children(command.process.pid)) == 2, START)
        yield command, children(command.process.pid)
        command.process.kill()


def children(process: int) -> list[int]:
    tasks = Path(f"/proc/{process}/task")
    return [int(child) for task in tasks.iterdir() for child in (task / "children").read_text().split()]


async def test_a_file_that_changes_has_new_processes_which_do_not_outlive_a_gateway_that_is_killed(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path) as (command, workers):
        (tmp_path / "my.py").write_text("async def agent(call):\n    await call.say(b'')\n")
        await command.wait_for("has changed")
        await eventually(lambda: not any(map(is_alive, workers)), START)
        await eventually(lambda: len(children(command.process.pid)) == 2, START)
        workers = children(command.process.pid)
        command.process.kill()
        await command.wait()
        await eventually(lambda: not any(map(is_alive, workers)))


async def test_no_process_outlives_a_gateway_that_is_told_to_end(tmp_path: Path) -> None:
    async with serving(tmp_path) as (command, workers):
        command.process.terminate()
        await command.wait()
        assert not any(map(is_alive, workers))
