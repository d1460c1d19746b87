"""``glottis serve`` in a process of its own, and what it holds."""

import os
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import HERE, SERVER_CORE, free_port, resident_kib, running, wait_for_port
from benchmarks.soak import probe

_CONFIG = f"""
[server]
port = {{port}}
max_sessions_per_minute = 1000000
max_load = 1
resume_grace = 0
shutdown_grace = 0

[auth]
scheme = "anonymous"

[media]
codecs = ["PCMU"]

[campaigns.talk]
agent = "echo"
sample_rate = 8000

[campaigns.deaf]
agent = "{probe.NAME}"

[log]
level = "error"
"""
_SERVE = "import sys; from glottis.cli import main; sys.exit(main())"
_PATIENCE = 5.0
"""Seconds for the process to count its tasks."""


@dataclass(frozen=True, slots=True)
class Holdings:
    """Of the gateway's process."""

    resident_kib: int
    descriptors: int
    tasks: int


@dataclass(frozen=True, slots=True)
class Server:
    """A gateway that listens on ``port``."""

    port: int
    pid: int
    count: Path

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def holdings(self) -> Holdings:
        """Now."""
        return Holdings(resident_kib(self.pid), len(os.listdir(f"/proc/{self.pid}/fd")), self._tasks())

    def _tasks(self) -> int:
        self.count.unlink(missing_ok=True)
        os.kill(self.pid, signal.SIGUSR1)
        deadline = time.monotonic() + _PATIENCE
        while not self.count.exists():
            if time.monotonic() > deadline:
                raise TimeoutError("the gateway does not count its tasks: is it blocked?")
            time.sleep(0.002)
        return int(self.count.read_text())


@contextmanager
def serving() -> Iterator[Server]:
    """The gateway, for as long as the block runs."""
    port = free_port()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        config, count = directory / "glottis.toml", directory / "count"
        config.write_text(_CONFIG.format(port=port))
        install_probe(directory, count)
        with running(["-c", _SERVE, "serve", "--config", str(config)], SERVER_CORE) as process:
            wait_for_port(port, process)
            yield Server(port, process.pid, count)


def install_probe(directory: Path, count: Path) -> None:
    """A distribution that each Python which is started from now on has installed; it counts into this file."""
    os.environ |= {
        "PYTHONPATH": os.pathsep.join(map(str, (directory, HERE.root, HERE.root / "tests"))),
        probe.COUNT_FILE: str(count),
    }
    metadata = directory / "glottis_soak-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: glottis-soak\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[glottis]\nsoak = {probe.__name__}\n")
