"""How the gateway stops, in process and as a process of its own."""

import gc
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import pytest
import trio
from glottis.config import load_config, resolve
from glottis.server import serving
from glottis.server.gateway import Gateway
from glottis.server.runtime.pauses import Pauses
from glottis.server.runtime.watchdog import EXIT_ABANDONED
from glottis.signaling.messages import Bye
from support.gateway import CONFIG, gateway_at
from support.http import Reply, request
from support.installed import installed_plugins
from support.memory import MemoryNetwork, open_memory_exchange, open_memory_gateway
from support.patience import PATIENCE, PROCESS_PATIENCE
from support.phone import Exchange, eventually, open_exchange
from support.plugins import Footprint
from support.ports import free_port


@pytest.fixture
async def exchange(tmp_path: Path) -> AsyncIterator[Exchange]:
    async with open_memory_exchange(tmp_path) as exchange:
        yield exchange


async def get(exchange: Exchange, path: str) -> Reply:
    return await request(exchange.gateway, "GET", path, connect=exchange.network.connect)


async def test_a_draining_gateway_admits_nobody_and_lets_its_calls_go_on(
    exchange: Exchange, nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    gateway = exchange.gateway
    await (await exchange.call()).hang_up()
    phone = await exchange.call()
    assert (await get(exchange, "/readyz")).status == 200
    stopped = trio.Event()

    async def stop() -> None:
        assert await gateway.stop(grace=60)
        stopped.set()

    nursery.start_soon(stop)
    await eventually(lambda: gateway.sessions.unavailability())
    ready = await get(exchange, "/readyz")
    refused = await exchange.post()
    for reply in (ready, refused):
        assert (reply.status, reply.document["code"]) == (503, "DRAINING")
        assert int(reply.headers["retry-after"]) > 0
    assert (await get(exchange, "/healthz")).status == 200
    await phone.hear(10)
    assert not stopped.is_set()
    await phone.hang_up()
    with trio.fail_after(PATIENCE):
        await stopped.wait()


async def test_a_call_can_be_resumed_while_the_gateway_drains(
    exchange: Exchange, nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    phone = await exchange.call()
    nursery.start_soon(exchange.gateway.stop, 60)
    await eventually(lambda: exchange.gateway.sessions.unavailability())
    phone.socket.cut()
    await phone.open_socket(phone.socket.events("resume")[-1]["websocketUrl"])
    await eventually(lambda: phone.socket.events("resume"))
    await phone.hang_up()


async def test_calls_that_outlast_the_grace_are_told_and_ended(
    exchange: Exchange, autojump_clock: trio.testing.MockClock
) -> None:
    phones = [await exchange.call() for _ in range(3)]
    waiting = exchange.phone()
    await waiting.create()
    await waiting.open_socket()
    with trio.fail_after(PATIENCE):
        assert await exchange.gateway.stop(grace=0.05)
    for phone in [*phones, waiting]:
        assert await phone.wait_closed() == (1012, "the gateway stops")
        last = phone.socket.messages[-1]
        assert isinstance(last, Bye)
        assert last.reason == "the gateway stops"
    assert len(exchange.gateway.sessions) == 0


async def test_leaving_the_block_ends_calls_at_once(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    network = MemoryNetwork()
    with network.gateway:
        async with trio.open_nursery() as nursery:
            async with open_memory_gateway(tmp_path, network) as gateway:
                exchange = await nursery.start(hold_exchange, gateway, network)
                phone = await exchange.call()
            assert (await phone.wait_closed())[0] == 1012
            nursery.cancel_scope.cancel()
    assert Footprint.of(gateway).sessions == 0


async def hold_exchange(gateway: Gateway, network: MemoryNetwork, *, task_status: trio.TaskStatus[Exchange]) -> None:
    async with open_exchange(gateway, network) as exchange:
        task_status.started(exchange)
        await trio.sleep_forever()


# Signals

SERVING = re.compile(r"glottis serves (http://\S+) ")


@asynccontextmanager
async def open_serving(
    directory: Path, caplog: pytest.LogCaptureFixture, server: str = ""
) -> AsyncIterator[tuple[Exchange, trio.Event]]:
    """What ``glottis serve`` runs, in this process, and an event for its end. It takes over this process's signals."""
    caplog.set_level("INFO")
    path = directory / "gateway.toml"
    path.write_text(CONFIG.replace("[server]\n", f"[server]\n{server}\n"))
    config = resolve(load_config(path, {}), installed_plugins())
    ended = trio.Event()

    async def serve() -> None:
        await serving.serve(config)
        ended.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        await eventually(lambda: SERVING.search(caplog.text))
        async with open_exchange(gateway_at(SERVING.findall(caplog.text)[-1])) as exchange:
            yield exchange, ended
        nursery.cancel_scope.cancel()


@pytest.mark.slow
async def test_sigint_ends_calls_at_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with open_serving(tmp_path, caplog) as (exchange, ended):
        phone = await exchange.call()
        os.kill(os.getpid(), signal.SIGINT)
        with trio.fail_after(PATIENCE):
            assert await phone.wait_closed() == (1012, "the gateway stops")
            await ended.wait()


@pytest.mark.slow
async def test_sigterm_gives_calls_their_grace(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with open_serving(tmp_path, caplog, "shutdown_grace = 60") as (exchange, ended):
        phone = await exchange.call()
        os.kill(os.getpid(), signal.SIGTERM)
        await eventually(lambda: "SIGTERM: stopping" in caplog.text)
        await phone.hear(10)
        assert not ended.is_set()
        await phone.hang_up()
        with trio.fail_after(PATIENCE):
            await ended.wait()


@pytest.mark.slow
async def test_the_collection_at_the_start_is_no_pause(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """All that was loaded is looked through once while nobody calls."""
    first: list[Pauses] = []

    def prolong(phase: str, info: dict[str, int]) -> None:
        if not first and phase == "stop" and info["generation"] == 2:
            first.extend(one for one in gc.callbacks if isinstance(one, Pauses))
            for pauses in first:
                pauses.longest = 1000.0

    gc.callbacks.append(prolong)
    try:
        async with open_serving(tmp_path, caplog) as (_, ended):
            await eventually(lambda: first)
            os.kill(os.getpid(), signal.SIGTERM)
            with trio.fail_after(PATIENCE):
                await ended.wait()
    finally:
        gc.callbacks.remove(prolong)
    assert first[0].longest < 1000.0


@pytest.mark.slow
async def test_sigterm_without_a_call_ends_at_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with open_serving(tmp_path, caplog, "shutdown_grace = 60") as (_, ended):
        os.kill(os.getpid(), signal.SIGTERM)
        with trio.fail_after(PATIENCE):
            await ended.wait()


@pytest.mark.slow
async def test_a_second_signal_ends_the_grace(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with open_serving(tmp_path, caplog, "shutdown_grace = 60") as (exchange, ended):
        phone = await exchange.call()
        os.kill(os.getpid(), signal.SIGTERM)
        await eventually(lambda: "SIGTERM: stopping" in caplog.text)
        os.kill(os.getpid(), signal.SIGINT)
        with trio.fail_after(PATIENCE):
            assert await phone.wait_closed() == (1012, "the gateway stops")
            await ended.wait()


STUBBORN = """
import sys, trio
from pathlib import Path
from glottis import AgentSpec, hookimpl
from glottis.config import configure_logging, load_config, resolve
from glottis.plugins import load_plugins
from glottis.server import serving
from glottis.server.sessions.times import SessionTimes

class Stubborn:
    @hookimpl
    def register_agents(self):
        return [AgentSpec("echo2", lambda settings: self.agent)]

    async def agent(self, call):
        with trio.CancelScope(shield=True):
            await trio.sleep_forever()

config = resolve(load_config(Path(sys.argv[1]), {}), load_plugins(extra=[Stubborn()]))
configure_logging(config.config.log)
serving.run(config, SessionTimes(stop=0.1))
"""


@pytest.mark.realtime
async def test_an_agent_that_does_not_stop_cannot_keep_the_process_from_ending(
    tmp_path: Path, nursery: trio.Nursery
) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text(f'{CONFIG}\n[campaigns.stubborn]\nagent = "echo2"\n')
    process: trio.Process = await nursery.start(
        partial(trio.run_process, [sys.executable, "-c", STUBBORN, path], stderr=subprocess.PIPE, check=False)
    )
    log = Log(process)
    nursery.start_soon(log.read)
    with trio.fail_after(PROCESS_PATIENCE):
        await eventually(lambda: SERVING.search(log.text), PROCESS_PATIENCE)
        async with open_exchange(gateway_at(SERVING.findall(log.text)[-1])) as exchange:
            phone = await exchange.call("stubborn")
            process.send_signal(signal.SIGINT)
            assert await phone.wait_closed() == (1012, "the gateway stops")
            assert await process.wait() == EXIT_ABANDONED
        await eventually(lambda: "leaving without them" in log.text)
    assert "agent echo2 of plugin Stubborn" in log.text
    assert phone.session_id in log.text
    assert "Traceback" not in log.text


@pytest.mark.realtime
async def test_a_gateway_serves_and_stops_while_nobody_reads_its_log(tmp_path: Path, nursery: trio.Nursery) -> None:
    port = free_port()
    path = tmp_path / "gateway.toml"
    path.write_text(CONFIG.replace("port = 0", f"port = {port}") + '\n[log]\nlevel = "debug"\n')
    read, write = full_pipe()
    command = [Path(sys.executable).with_name("glottis"), "serve", "--config", path]
    process: trio.Process = await nursery.start(partial(trio.run_process, command, stderr=write, check=False))
    os.close(write)
    with trio.fail_after(PROCESS_PATIENCE):
        await wait_connectable(port)
        async with open_exchange(gateway_at(f"http://127.0.0.1:{port}")) as exchange:
            phone = await exchange.call()
            await phone.hear(10)
            process.send_signal(signal.SIGINT)
            assert await phone.wait_closed() == (1012, "the gateway stops")
            assert await process.wait() == 0
    os.close(read)


BLOCKING = """
import ctypes, sys, trio
from pathlib import Path
from glottis import AgentSpec, hookimpl
from glottis.config import configure_logging, load_config, resolve
from glottis.plugins import load_plugins
from glottis.server import serving
from glottis.server.sessions.times import SessionTimes

class Blocking:
    @hookimpl
    def register_agents(self):
        return [AgentSpec("echo2", lambda settings: self.agent)]

    async def agent(self, call):
        Path(sys.argv[1]).with_name("the agent is there").touch()
        BLOCK

config = resolve(load_config(Path(sys.argv[1]), {}), load_plugins(extra=[Blocking()]))
configure_logging(config.config.log)
serving.run(config, SessionTimes(stop=0.1))
"""
BUSY = "while True: pass"
LOCKED = "mutex = bytes(64); lock = ctypes.CDLL(None).pthread_mutex_lock; lock(mutex); lock(mutex)"


@pytest.mark.realtime
@pytest.mark.parametrize(
    "block",
    [BUSY, LOCKED, f"try: await trio.sleep_forever()\n        finally:\n            {BUSY}"],
    ids=["in Python", "in C", "when cancelled"],
)
async def test_an_agent_that_blocks_for_ever_is_named_and_cannot_keep_the_process_from_ending(
    block: str, tmp_path: Path, nursery: trio.Nursery
) -> None:
    path = tmp_path / "gateway.toml"
    config = CONFIG.replace("[server]", "[server]\nshutdown_grace = 0.1")
    path.write_text(f'{config}\n[campaigns.blocking]\nagent = "echo2"\n')
    command = [sys.executable, "-c", BLOCKING.replace("BLOCK", block, 1), path]
    process: trio.Process = await nursery.start(partial(trio.run_process, command, stderr=subprocess.PIPE, check=False))
    log = Log(process)
    nursery.start_soon(log.read)
    with trio.fail_after(PROCESS_PATIENCE):
        await eventually(lambda: SERVING.search(log.text), PROCESS_PATIENCE)
        async with open_exchange(gateway_at(SERVING.findall(log.text)[-1])) as exchange:
            phone = exchange.phone()
            await phone.create("blocking")
            await phone.open_socket()
            await phone.send_offer()
            await phone.take_answer()
            await eventually((tmp_path / "the agent is there").exists)
            process.send_signal(signal.SIGTERM)
            assert await process.wait() == EXIT_ABANDONED
        await eventually(lambda: "leaving without it" in log.text)
    assert re.search(r"has been blocked for \d+ ms by plugin Blocking", log.text)
    assert phone.session_id in log.text


@pytest.mark.realtime
async def test_an_agent_that_blocks_and_a_log_that_nobody_reads_cannot_keep_the_process_from_ending(
    tmp_path: Path, nursery: trio.Nursery
) -> None:
    port = free_port()
    path = tmp_path / "gateway.toml"
    config = CONFIG.replace("port = 0", f"port = {port}\nshutdown_grace = 0.1")
    path.write_text(f'{config}\n[campaigns.blocking]\nagent = "echo2"\n')
    read, write = full_pipe()
    command = [sys.executable, "-c", BLOCKING.replace("BLOCK", BUSY, 1), path]
    process: trio.Process = await nursery.start(partial(trio.run_process, command, stderr=write, check=False))
    os.close(write)
    with trio.fail_after(PROCESS_PATIENCE):
        await wait_connectable(port)
        async with open_exchange(gateway_at(f"http://127.0.0.1:{port}")) as exchange:
            phone = exchange.phone()
            await phone.create("blocking")
            await phone.open_socket()
            await phone.send_offer()
            await phone.take_answer()
            await eventually((tmp_path / "the agent is there").exists)
            process.send_signal(signal.SIGTERM)
            assert await process.wait() == EXIT_ABANDONED
    os.close(read)


def full_pipe() -> tuple[int, int]:
    read, write = os.pipe()
    os.set_blocking(write, False)
    with suppress(BlockingIOError):
        while os.write(write, bytes(4096)):
            pass
    os.set_blocking(write, True)
    return read, write


async def wait_connectable(port: int) -> None:
    while True:
        try:
            await (await trio.open_tcp_stream("127.0.0.1", port)).aclose()
        except OSError:
            await trio.sleep(0.05)
        else:
            return


class Log:
    """What a process writes to its standard error."""

    def __init__(self, process: trio.Process) -> None:
        self.text = ""
        self._process = process

    async def read(self) -> None:
        assert self._process.stderr
        async for chunk in self._process.stderr:
            self.text += chunk.decode()
