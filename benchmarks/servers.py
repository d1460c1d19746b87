"""The servers under load, each in a process of its own."""

import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.processes import SERVER_CORE, free_port, running, wait_for_port
from benchmarks.signaling import CAMPAIGN, HOST
from benchmarks.speech import COMPLEXITY, SAMPLE_RATE

_CONFIG: Final = f"""
[server]
host = "{HOST}"
port = {{port}}
max_sessions_per_minute = 1000000
max_sessions_per_client = 1000000
max_connections_per_client = 1000000

[auth]
scheme = "anonymous"

[media]
encoder.complexity = {COMPLEXITY}

[campaigns.{CAMPAIGN}]
agent = "echo"
settings.encoded = {{encoded}}
sample_rate = {SAMPLE_RATE}

[log]
level = "warning"
"""

_SERVE: Final = "import sys; from glottis.cli import main; sys.exit(main())"


@dataclass(frozen=True, slots=True)
class Server:
    """One that listens on ``port``; ``kind`` names its signaling."""

    kind: str
    port: int
    pid: int


@contextmanager
def glottis(*, encoded: bool) -> Iterator[Server]:
    """``glottis serve`` with the echo agent, which decodes and encodes unless it is to echo packets as they are."""
    port = free_port()
    with tempfile.TemporaryDirectory() as directory:
        config = Path(directory) / "glottis.toml"
        config.write_text(_CONFIG.format(port=port, encoded=str(encoded).lower()))
        with _listening("glottis", port, ["-c", _SERVE, "serve", "--config", str(config)]) as server:
            yield server


def aiortc() -> AbstractContextManager[Server]:
    """aiortc, which always decodes and encodes."""
    port = free_port()
    return _listening("aiortc", port, ["-m", "benchmarks.aiortc_echo", "--port", str(port)])


@contextmanager
def _listening(kind: str, port: int, arguments: list[str]) -> Iterator[Server]:
    with running(arguments, SERVER_CORE) as process:
        wait_for_port(port, process)
        yield Server(kind, port, process.pid)
