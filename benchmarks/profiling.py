"""``make profile``: samples the stacks of a gateway under load, and draws which room of the house has them.

The sampler is py-spy, which reads the memory of the running process and changes nothing in it. It needs leave to do so:
root's, or that of ``kernel.yama.ptrace_scope=0``.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from benchmarks.flame import render, tree
from benchmarks.measurement import callers_of, wait_for
from benchmarks.processes import CALLERS_CORE
from benchmarks.rooms import IDLE, Stack, parse_stacks, shares
from benchmarks.scenarios import Scenario
from benchmarks.servers import Server, server_for

RATE: Final = 200
"""Samples per second."""
_SPARE_SECONDS: Final = 3.0
"""For the sampler to start and to end while all calls are up."""


def profile(scenario: Scenario, seconds: float, output: Path) -> None:
    """Write the picture, and print the table of rooms. Raises ``RuntimeError`` where nothing can be sampled."""
    with server_for(scenario) as server, callers_of(server, scenario, seconds + _SPARE_SECONDS) as callers:
        wait_for("warm", callers)
        wait_for("steady", callers)
        stacks = _sample(server, seconds)
    by_room = shares(stacks)
    title = f"glottis: {scenario.name}; {sum(stacks.values())} samples"
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(render(title, tree(stacks), by_room))
    print(title)
    _print_shares(by_room)
    print(f"flame graph: {output}")


def _print_shares(by_room: Mapping[str, float]) -> None:
    work = 1 - by_room[IDLE]
    print(f"{'room':20}{'of the time':>14}{'of the work':>14}")
    for room, share in by_room.items():
        of_work = f"{share / work:14.1%}" if room != IDLE else ""
        print(f"{room:20}{share:14.1%}{of_work}")


def _sample(server: Server, seconds: float) -> dict[Stack, int]:
    sampler = shutil.which("py-spy", path=str(Path(sys.executable).parent)) or shutil.which("py-spy")
    if sampler is None:
        raise RuntimeError("py-spy is not installed: make profile does it")
    with tempfile.TemporaryDirectory() as directory:
        raw = Path(directory) / "stacks"
        options = [
            "--format=raw",
            "--full-filenames",
            "--nolineno",
            "--threads",
            "--idle",
            f"--rate={RATE}",
            f"--duration={seconds:.0f}",
        ]
        command = [
            "taskset",
            "-c",
            str(CALLERS_CORE),
            sampler,
            "record",
            *options,
            "-o",
            str(raw),
            "-p",
            str(server.pid),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode or not raw.exists():
            raise RuntimeError(f"py-spy may not look at another process here (docs/performance.md):\n{done.stderr}")
        return parse_stacks(raw.read_text())
