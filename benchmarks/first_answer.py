"""How long a gateway takes from exec to its first answer: ``python -m benchmarks.first_answer``, on a quiet machine.

Each start is followed by one of a bare Python that imports trio and ssl: the ratio of the two says as much on a slower
machine. All plugins that are installed beside the gateway are loaded: ``--python`` names another environment's.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.processes import START_TIMEOUT, free_port

AIM: Final = 0.5
LOOK: Final = 0.002
"""Seconds between two attempts to connect: what comes about is measured as well as that."""
_CONFIG: Final = """
[server]
host = "127.0.0.1"
port = {port}
[auth]
scheme = "anonymous"
[campaigns.echo]
agent = "echo"
[log]
level = "error"
"""


def main() -> int:
    """1 if the median is longer than is aimed at."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.first_answer", description=__doc__)
    parser.add_argument("--starts", type=int, default=11, help="(default: %(default)s)")
    parser.add_argument("--python", type=Path, default=Path(sys.executable), help="of the environment (default: this)")
    options = parser.parse_args()
    python: Path = options.python
    first_answer(python)  # so that files are in memory, and byte code is made
    bare_start(python)
    rounds = [(first_answer(python), bare_start(python)) for _ in range(options.starts)]
    print(told(rounds))
    return int(median(answer for answer, _ in rounds) > AIM)


def told(rounds: list[tuple[float, float]]) -> str:
    """A line of the seconds of each start and of the bare Python after it."""
    answers, bares = ([pair[side] for pair in rounds] for side in (0, 1))
    return (
        f"first answer after {median(answers):.2f} s ({min(answers):.2f} to {max(answers):.2f}, {len(rounds)} starts;"
        f" aim {AIM} s), {median(answers) / median(bares):.1f} times a bare Python's {median(bares):.2f} s"
    )


def first_answer(python: Path) -> float:
    """Seconds until ``/healthz`` says 200."""
    port = free_port()
    with tempfile.TemporaryDirectory() as directory:
        config = Path(directory) / "glottis.toml"
        config.write_text(_CONFIG.format(port=port))
        command: list[str | Path] = [python.with_name("glottis"), "serve", "--config", config]
        began = time.monotonic()
        gateway = subprocess.Popen(command)
        try:
            while not _is_healthy(port):
                if gateway.poll() is not None or time.monotonic() - began > START_TIMEOUT:
                    raise TimeoutError("the gateway did not start: see above")
                time.sleep(LOOK)
            return time.monotonic() - began
        finally:
            gateway.terminate()
            gateway.wait()


def bare_start(python: Path) -> float:
    """Seconds that it takes from exec to its end."""
    began = time.monotonic()
    subprocess.run([python, "-c", "import trio, ssl"], check=True)
    return time.monotonic() - began


def _is_healthy(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=START_TIMEOUT)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(main())
