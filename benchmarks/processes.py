"""Processes on a core of their own, and what the kernel says that they use."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

START_TIMEOUT: Final = 30.0
_CORES: Final = sorted(os.sched_getaffinity(0))
SERVER_CORE, CALLERS_CORE = _CORES[0], _CORES[-1]
CORES: Final = len(_CORES)


@dataclass(frozen=True, slots=True)
class Checkout:
    """A working copy of glottis, and the Python that its packages are installed for."""

    root: Path
    python: str

    @classmethod
    def at(cls, root: Path) -> "Checkout":
        """The one in that folder, with the virtual environment that ``make`` has left there, else ``ValueError``."""
        python = root / ".venv" / "bin" / "python"
        if not (root / "core" / "glottis").is_dir() or not python.exists():
            raise ValueError(f"{root} is no checkout of glottis with a .venv: run make there first")
        return cls(root.resolve(), str(python.absolute()))


HERE: Final = Checkout(Path(__file__).parents[1], sys.executable)


@contextmanager
def running(arguments: Sequence[str], core: int | None, checkout: Checkout = HERE) -> Iterator[subprocess.Popen[str]]:
    """A Python process pinned to ``core``, or on all of them, ended with the block."""
    process = subprocess.Popen([checkout.python, *arguments], cwd=checkout.root, stdout=subprocess.PIPE, text=True)
    os.sched_setaffinity(process.pid, _CORES if core is None else {core})
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
    """User and system time of all threads so far, by the kernel's clock of that process (clock_getcpuclockid(3))."""
    return time.clock_gettime(~pid << 3 | 2)


def family_of(pid: int) -> list[int]:
    """The process, and those that it has started and are there."""
    threads = Path(f"/proc/{pid}/task").glob("*/children")
    return [pid, *(int(child) for thread in threads for child in thread.read_text().split())]


def resident_kib(pid: int) -> int:
    """The resident set without the pages of files: those are not a call's, and come back as the first one uses them."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon:"))


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
