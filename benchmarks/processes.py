"""Processes on a core of their own, and what the kernel says that they use."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[1]
START_TIMEOUT: Final = 30.0
_TICKS_PER_SECOND: Final = os.sysconf("SC_CLK_TCK")
_CORES: Final = sorted(os.sched_getaffinity(0))
SERVER_CORE, CALLERS_CORE = _CORES[0], _CORES[-1]


@contextmanager
def running(arguments: Sequence[str], core: int) -> Iterator[subprocess.Popen[str]]:
    """A Python process pinned to ``core``, ended with the block."""
    process = subprocess.Popen([sys.executable, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    os.sched_setaffinity(process.pid, {core})
    try:
        yield process
    finally:
        process.terminate()
        process.wait()
        assert process.stdout
        process.stdout.close()


def output_of(arguments: Sequence[str], core: int) -> str:
    """What a Python process pinned to ``core`` prints; raises if it fails."""
    with running(arguments, core) as process:
        output, _ = process.communicate()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, arguments)
    return output


def json_from(arguments: Sequence[str], core: int) -> Any:
    """The same, read as JSON."""
    return json.loads(output_of(arguments, core))


def cpu_seconds(pid: int) -> float:
    """User and system time of all threads so far, in steps of a tick (proc(5), 10 ms)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND


def resident_kib(pid: int) -> int:
    """The resident set."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


def free_port() -> int:
    """A TCP port of loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def wait_for_port(port: int, process: subprocess.Popen[str]) -> None:
    """Until ``process`` listens there. Raises ``TimeoutError``, also when the process has ended."""
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError(f"the server on port {port} did not start: see above")
