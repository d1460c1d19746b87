"""A call over 24 kB/s, in network namespaces: as root, ``PYTHONPATH=tests python -m benchmarks.slow_link``.

A gateway in one namespace, ``glottis call`` in the other, and between them a link that a token bucket (tc-tbf(8)) holds
to that rate in each direction. The caller says recorded speech, the agent echoes it, and what comes back is judged.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from glottis.lab.alignment import find_delays
from glottis.lab.quality import passage_pairs, pesq_wb, stoi_of
from glottis.lab.samples import RATE, at_length, to_samples
from glottis.lab.speech import read_speech
from glottis.lab.wav import read_wav
from support.audio import SPEECH
from support.command import GLOTTIS

KBITS: Final = int(os.environ.get("KBITS", "192"))
GATEWAY, CALLER = "10.231.7.1", "10.231.7.2"
PORT: Final = 8080
KEY: Final = "a key for this link alone"
_CONFIG: Final = f"""
[server]
host = "{GATEWAY}"
port = {PORT}
[auth]
scheme = "api-keys"
[auth.settings.plain_keys]
link = "{KEY}"
[campaigns.echo]
agent = "echo"
[log]
level = "warning"
"""


def main() -> None:
    """A line for each codec."""
    with tempfile.TemporaryDirectory() as name, _link() as (gateway, caller):
        folder = Path(name)
        (folder / "glottis.toml").write_text(_CONFIG)
        command = ["ip", "netns", "exec", gateway, str(GLOTTIS), "serve", "--config", str(folder / "glottis.toml")]
        with subprocess.Popen(command) as server:
            try:
                time.sleep(8)
                for codec in sys.argv[1:] or ["opus", "G722", "PCMU"]:
                    print(f"{codec}: {_call(gateway, caller, codec, folder / f'{codec}.wav')}", flush=True)
            finally:
                server.terminate()


def _call(gateway: str, caller: str, codec: str, heard: Path) -> str:
    before, began = _bytes_sent(gateway), time.monotonic()
    url = f"http://{GATEWAY}:{PORT}"
    command = [str(GLOTTIS), "call", url, "--codec", codec, "--wav", str(SPEECH), "--record", str(heard)]
    done = subprocess.run(
        ["ip", "netns", "exec", caller, *command, "--listen", "2"],
        env=os.environ | {"GLOTTIS_API_KEY": KEY},
        capture_output=True,
        text=True,
        check=False,
    )
    seconds, sent = time.monotonic() - began, _bytes_sent(gateway) - before
    if done.returncode:
        return f"no call: {done.stderr.strip().splitlines()[-1:]}"
    speech = read_speech(SPEECH).speech
    signal, rate, _ = read_wav(heard)
    samples = to_samples(at_length(signal, len(signal) * RATE // rate))
    delays = find_delays(speech.samples, samples)
    pairs = passage_pairs(speech, samples, delays)
    figures = [(stoi_of(*pair), pesq_wb(*pair)) for pair in pairs]
    stoi, pesq = (sum(each) / len(figures) for each in zip(*figures, strict=True))
    length = len(samples) / RATE
    return (
        f"STOI {stoi:.2f}, PESQ {pesq:.2f}, the gateway sent {sent * 8 / length / 1000:.0f} kbit/s of the link's"
        f" {KBITS} in {length:.1f} s, of {seconds:.1f} s in all"
    )


def _bytes_sent(namespace: str) -> int:
    """All of it, with IP and Ethernet."""
    path = "/sys/class/net/wire/statistics/tx_bytes"
    return int(subprocess.run(["ip", "netns", "exec", namespace, "cat", path], capture_output=True, check=True).stdout)


@contextmanager
def _link() -> Iterator[tuple[str, str]]:
    """Two namespaces that see each other, and nobody else."""
    names = [f"slow-{os.getpid()}-{side}" for side in ("gateway", "caller")]
    for name in names:
        _run(f"ip netns add {name}")
    try:
        _run(f"ip -n {names[0]} link add name wire type veth peer name wire netns {names[1]}")
        for name, address in zip(names, (GATEWAY, CALLER), strict=True):
            for line in (
                f"ip -n {name} addr add {address}/24 dev wire",
                f"ip -n {name} link set wire up",
                f"ip -n {name} link set lo up",
                f"tc -n {name} qdisc add dev wire root tbf rate {KBITS}kbit burst 3000 latency 300ms",
            ):
                _run(line)
        yield names[0], names[1]
    finally:
        for name in names:
            _run(f"ip netns del {name}")


def _run(line: str) -> None:
    subprocess.run(line.split(), check=True)


if __name__ == "__main__":
    main()
