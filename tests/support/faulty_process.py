"""``glottis serve`` with the plugin ``faulty`` installed, whose faults a test chooses while it runs.

async with open_faulty_process(directory) as process:
    process.arm("Encoder.encode", "blocks 200 ms")
"""

import os
import re
import signal
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import trio
from glottis.server.runtime.watchdog import EXIT_ABANDONED

from support.command import GLOTTIS
from support.faults import FAULTY_CONFIG, Fault, Faulty, fault_named
from support.gateway import gateway_at
from support.lean import lean
from support.patience import PATIENCE, PROCESS_PATIENCE
from support.phone import Exchange, eventually, open_exchange

TESTS: Final = Path(__file__).parents[1]
SERVING: Final = re.compile(r"glottis serves (http://\S+) ")
ORDERS: Final = "FAULTY_ORDERS"
"""The environment's name for the file that orders faults."""
LATE: Final = 0.02
"""Seconds by which a turn of the wheel is too late."""
NAME: Final = "plugin faulty (glottis-faulty 1.0)"
"""What the log calls the plugin."""


class OrderedFaulty(Faulty):
    """Gets its faults from a file: a method and the name of a fault, a line each. The file is removed then."""

    def through(self, method: str, function: Callable[..., Any], *arguments: object) -> Any:
        """See ``Faulty``."""
        orders = _orders()
        if orders.exists():
            ordered, fault = orders.read_text().splitlines()
            orders.unlink()
            self.arm(ordered, fault_named(fault))
        return super().through(method, function, *arguments)

    def _note_strike(self, method: str, fault: Fault) -> None:
        """Answers with another file."""
        super()._note_strike(method, fault)
        if self.struck == 1:
            _write(_answer_to(_orders()), f"{method}\n{fault}")


def _orders() -> Path:
    return Path(os.environ[ORDERS])


def _answer_to(orders: Path) -> Path:
    return orders.with_suffix(".struck")


def _write(path: Path, text: str) -> None:
    """Whoever finds the file finds all of it."""
    part = path.with_suffix(".part")
    part.write_text(text)
    part.rename(path)


plugin = OrderedFaulty()
"""What the entry point names."""


class FaultyProcess:
    """Made by ``open_faulty_process``. ``log`` is what was read of standard error."""

    def __init__(self, process: trio.Process, orders: Path) -> None:
        self.process = process
        self.log = ""
        self.reading = trio.CancelScope()
        """Until it is cancelled, standard error is read."""
        self.exchange: Exchange
        self._orders = orders
        self._order = ""

    def arm(self, method: str, fault: str) -> None:
        """Let the method have the fault from its next use on."""
        self._order = f"{method}\n{fault}"
        _write(self._orders, self._order)

    @property
    def has_struck(self) -> bool:
        """Whether the fault that was ordered last has happened."""
        answer = _answer_to(self._orders)
        return answer.exists() and answer.read_text() == self._order

    async def starve(self) -> None:
        """Runs until cancelled: the process runs but half of the time, as if the machine had too much to do."""
        try:
            while True:
                self.process.send_signal(signal.SIGSTOP)
                await trio.sleep(LATE)
                self.process.send_signal(signal.SIGCONT)
                await trio.sleep(LATE)
        finally:
            self.process.send_signal(signal.SIGCONT)

    async def read(self) -> None:
        """Runs beside the test."""
        assert self.process.stderr
        with self.reading:
            async for chunk in self.process.stderr:
                self.log += chunk.decode(errors="replace")

    async def terminate(self) -> int:
        """As an operator would; it has to end by itself, and not of the signal. Returns its exit code."""
        self.process.send_signal(signal.SIGTERM)
        with trio.fail_after(PATIENCE):
            code = await self.process.wait()
        assert code in (0, EXIT_ABANDONED)
        return code


@asynccontextmanager
async def open_faulty_process(directory: Path, server: str = "shutdown_grace = 0") -> AsyncIterator[FaultyProcess]:
    """A gateway on loopback, and phones for it; leaving the block kills it."""
    orders = _install(directory, server)
    command = [str(GLOTTIS), "serve", "--config", str(directory / "gateway.toml")]
    environment = {
        **os.environ,
        **lean(FAULTY_CONFIG),
        "PYTHONPATH": f"{directory}{os.pathsep}{TESTS}",
        ORDERS: str(orders),
    }
    async with trio.open_nursery() as nursery:
        start = partial(trio.run_process, command, stderr=subprocess.PIPE, env=environment, check=False)
        process = FaultyProcess(await nursery.start(start), orders)
        nursery.start_soon(process.read)
        try:
            await eventually(
                lambda: SERVING.search(process.log) or process.process.returncode is not None, PROCESS_PATIENCE
            )
            found = SERVING.search(process.log)
            assert found, process.log
            gateway = gateway_at(found[1])
            async with open_exchange(gateway) as process.exchange:
                yield process
        finally:
            process.process.kill()
            nursery.cancel_scope.cancel()


def _install(directory: Path, server: str) -> Path:
    """Make a distribution that any Python with this directory on its path has installed."""
    metadata = directory / "glottis_faulty-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: glottis-faulty\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[glottis]\nfaulty = {__name__}:plugin\n")
    (directory / "gateway.toml").write_text(FAULTY_CONFIG.replace("[server]\n", f"[server]\n{server}\n"))
    return directory / "orders"
