"""The servers under load, each in a process of its own."""

import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.processes import HERE, SERVER_CORE, Checkout, free_port, running, wait_for_port
from benchmarks.scenarios import Kind, Scenario
from benchmarks.signaling import CAMPAIGN, HOST

_CONFIG: Final = f"""
[server]
host = "{HOST}"
port = {{port}}
{{workers}}
max_load = 1.0
max_sessions_per_minute = 1000000
max_sessions_per_client = 1000000
max_connections_per_client = 1000000

[auth]
scheme = "anonymous"

[media]
encoder.complexity = {{complexity}}
encoder.complexity_floor = {{complexity}}

[campaigns.{CAMPAIGN}]
agent = "echo"
settings.encoded = {{encoded}}
sample_rate = {{sample_rate}}

[log]
level = "error"
"""
"""Nothing is refused or made worse under load: it is to be seen what load does."""
_OPTIONAL: Final = ("max_load", "max_sessions_per_client", "max_connections_per_client", "complexity_floor")
"""Settings that not all versions have."""

SERVE: Final = "import sys; from glottis.cli import main; sys.exit(main())"


@dataclass(frozen=True, slots=True)
class Server:
    """One that listens on ``port``; ``kind`` names its signaling."""

    kind: str
    port: int
    pid: int


def server_for(scenario: Scenario, checkout: Checkout = HERE) -> AbstractContextManager[Server]:
    """The one that the scenario is about, of that checkout."""
    return aiortc() if scenario.kind is Kind.AIORTC else glottis(scenario, checkout)


@contextmanager
def glottis(scenario: Scenario, checkout: Checkout = HERE, core: int | None = SERVER_CORE) -> Iterator[Server]:
    """``glottis serve`` with the echo agent, which decodes and encodes unless it is to echo packets as they are."""
    port = free_port()
    with tempfile.TemporaryDirectory() as directory:
        config = Path(directory) / "glottis.toml"
        config.write_text(configuration(scenario, port, checkout))
        arguments = ["-c", SERVE, "serve", "--config", str(config)]
        with _listening("glottis", port, arguments, checkout, core) as server:
            yield server


def configuration(scenario: Scenario, port: int, checkout: Checkout) -> str:
    """What ``checkout`` is served with: settings that it does not know are left out."""
    text = _CONFIG.format(
        port=port,
        workers=f"workers = {scenario.workers}" if scenario.workers > 1 else "",
        complexity=scenario.complexity,
        encoded=str(scenario.kind is Kind.PASS_THROUGH).lower(),
        sample_rate=scenario.sample_rate,
    )
    house = checkout.root / "core" / "glottis"
    sources = [path.read_text() for room in ("config", "contracts") for path in (house / room).glob("*.py")]
    unknown = [setting for setting in _OPTIONAL if not any(f" {setting}: " in source for source in sources)]
    return "\n".join(line for line in text.splitlines() if not any(f"{name} =" in line for name in unknown))


def aiortc() -> AbstractContextManager[Server]:
    """aiortc, which always decodes and encodes."""
    port = free_port()
    return _listening("aiortc", port, ["-m", "benchmarks.aiortc_echo", "--port", str(port)], HERE)


@contextmanager
def _listening(
    kind: str, port: int, arguments: list[str], checkout: Checkout, core: int | None = SERVER_CORE
) -> Iterator[Server]:
    with running(arguments, core, checkout) as process:
        wait_for_port(port, process)
        yield Server(kind, port, process.pid)
