"""A gateway in a root, called from here: how long it takes to answer, what it needs, and that calls are heard."""

import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.error import URLError
from urllib.request import urlopen

from tools.roots import Root

CONFIG: Final = """
[server]
host = "127.0.0.1"
[auth]
scheme = "anonymous"
[campaigns.echo]
agent = "echo"
"""
CODECS: Final = ("opus", "PCMU", "G722")
CALLS: Final = 4
SECONDS: Final = 10
PATIENCE: Final = 120.0


@dataclass(frozen=True, slots=True)
class Served:
    """A gateway that answers."""

    url: str
    pid: int
    ready_s: float


@contextmanager
def serve(
    root: Root,
    config: str = "/etc/glottis.toml",
    glottis: str = "/opt/glottis/bin/glottis",
    *,
    user: int = 0,
    scheme: str = "http",
) -> Iterator[Served]:
    """One in the root, which has the network of this machine; ended with the block."""
    port = free_port()
    command = root.command(
        *("setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"),
        *(glottis, "serve", "--config", config),
        GLOTTIS_SERVER__PORT=str(port),
        GLOTTIS_MEDIA__UDP_PORT="0",
    )
    began = time.monotonic()
    gateway = subprocess.Popen(command)  # it is execed by all that come before it
    try:
        url = f"{scheme}://127.0.0.1:{port}"
        wait_ready(url, gateway)
        yield Served(url, gateway.pid, round(time.monotonic() - began, 2))
    finally:
        gateway.send_signal(signal.SIGTERM)
        gateway.wait(PATIENCE)


def call(served: Served) -> dict[str, object]:
    """What it takes while it waits and in its first call; and that a call by each codec is heard."""
    time.sleep(2)
    idle, own = resident(served.pid)
    heard(begin_call(served.url, "--codec", CODECS[0]))
    first_call = resident(served.pid)[1] - own
    for codec in CODECS[1:]:
        heard(begin_call(served.url, "--codec", codec))
    return {
        "ready_s": served.ready_s,
        "idle_mib": round(idle / 1024),
        "own_mib": round(own / 1024),
        "first_call_kib": first_call,
        "calls_per_core": calls_per_core(served.url, served.pid),
        "codecs_called": CODECS,
    }


def wait_ready(url: str, gateway: subprocess.Popen[bytes]) -> None:
    """Until sessions can be had."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and gateway.poll() is None:
        try:
            urlopen(f"{url}/readyz", timeout=PATIENCE).close()
        except (URLError, OSError):
            time.sleep(0.01)
        else:
            return
    sys.exit(f"The gateway served nothing; it ended with {gateway.poll()}.")


def begin_call(url: str, *options: str) -> subprocess.Popen[str]:
    """From here, to the echo."""
    command = [str(Path(sys.executable).with_name("glottis")), "call", url, "--campaign", "echo", *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def heard(call: subprocess.Popen[str]) -> None:
    """Or it ends here."""
    told, _ = call.communicate(timeout=PATIENCE)
    if call.returncode:
        sys.exit(f"A call ended with {call.returncode}: {told}")


def calls_per_core(url: str, pid: int) -> int:
    """By the processor's time for some with Opus, from their offers to their ends."""
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        with wave.open(file, "wb") as speech:
            speech.setnchannels(1)
            speech.setsampwidth(2)
            speech.setframerate(16000)
            speech.writeframes(random.Random(1).randbytes(2 * 16000 * SECONDS))
        before = processor_seconds(pid)
        for call in [begin_call(url, "--codec", "opus", "--wav", file.name) for _ in range(CALLS)]:
            heard(call)
    return round(CALLS * SECONDS / (processor_seconds(pid) - before))


def processor_seconds(pid: int) -> float:
    """Of all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(pid: int) -> tuple[int, int]:
    """KiB, with an emulator where there is one: all, and what is in no file."""
    status = Path(f"/proc/{pid}/status").read_text()
    whole, own = (re.search(rf"^{name}:\s+(\d+)", status, re.MULTILINE) for name in ("VmRSS", "RssAnon"))
    assert whole
    assert own
    return int(whole[1]), int(own[1])


def free_port() -> int:
    """Of this machine, whose network the roots have."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def size_of(folder: Path) -> int:
    """Bytes of its files."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
