"""``python -m benchmarks.dead_servers``: do STUN and TURN servers that say nothing delay calls?

Two gateways, one of which has three such servers, are called in turn, so that both have the same machine. Times are
those of the clock on the wall: of the offer's answer, and of the first packet of audio since the session was asked for.
"""

import argparse
import random
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Final

import trio
from glottis.client.call import ClientCall
from glottis.client.calling import CallRequest, open_client_call
from glottis.contracts.audio import AudioFrame
from glottis.contracts.codec import CodecSpec
from glottis.dtls import Certificate
from glottis.peer import PeerConnection, PeerSettings
from glottis.plugins import load_plugins
from glottis.wire.address import Address

from benchmarks.processes import SERVER_CORE, free_port, running, wait_for_port
from benchmarks.signaling import HOST, open_glottis_signaling

_SERVE: Final = "import sys; from glottis.cli import main; sys.exit(main())"
_CONFIG: Final = f"""
[server]
host = "{HOST}"
port = {{port}}
max_sessions_per_minute = 1000000

[auth]
scheme = "anonymous"

[campaigns.echo]
agent = "echo"

[log]
level = "error"
"""
_SERVERS: Final = """
[ice_servers.settings.static]
servers = [
    {{ urls = ["stun:{0}"] }},
    {{ urls = ["stun:{1}"] }},
    {{ urls = ["turn:{2}"], username = "user", credential = "secret" }},
]
"""


@dataclass(slots=True)
class Times:
    """Of one gateway's calls, in seconds."""

    answer: list[float] = field(default_factory=list)
    first_audio: list[float] = field(default_factory=list)


def main() -> None:
    """Call, and print both beside each other."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dead_servers", description=__doc__)
    parser.add_argument("--calls", type=int, default=30, help="to each gateway (default: %(default)s)")
    calls = parser.parse_args().calls
    with ExitStack() as stack:
        dead = [stack.enter_context(_silent_socket()) for _ in range(3)]
        without = stack.enter_context(_gateway(""))
        beside = stack.enter_context(_gateway(_SERVERS.format(*dead)))
        report(*trio.run(measure, without, beside, calls))


def report(without: Times, beside: Times) -> None:
    """Medians in milliseconds, and their ratio."""
    print(f"{'median of ' + str(len(without.answer)) + ' calls':24} {'no servers':>12} {'three dead':>12} {'ratio':>7}")
    for name, one, other in (
        ("answer to an offer", without.answer, beside.answer),
        ("first audio", without.first_audio, beside.first_audio),
    ):
        print(f"{name:24} {median(one) * 1e3:9.1f} ms {median(other) * 1e3:9.1f} ms {median(other) / median(one):7.2f}")


async def measure(without: int, beside: int, calls: int) -> tuple[Times, Times]:
    """Call the gateways on these ports in turn."""
    codecs = (load_plugins().codecs.find("opus").spec,)
    times = {without: Times(), beside: Times()}
    for port in times:  # what the first call of a process costs is another question
        await _call(port, codecs, Times())
    for _ in range(calls):
        for port, noted in times.items():
            await _call(port, codecs, noted)
    return times[without], times[beside]


async def _call(port: int, codecs: tuple[CodecSpec, ...], times: Times) -> None:
    peer = PeerConnection(
        PeerSettings(codecs, sample_rate=48000),
        certificate=Certificate.generate(),
        local_addresses=[Address(HOST, 9)],
        rng=random.Random(1),
    )
    offer = peer.make_offer()
    async with open_glottis_signaling(port) as exchange:
        began = time.perf_counter()
        await exchange(offer)
        times.answer.append(time.perf_counter() - began)
    began = time.perf_counter()
    async with open_client_call(CallRequest(f"http://{HOST}:{port}", codecs)) as call:
        call.nursery.start_soon(_speak, call)
        await call.heard.wait()
        times.first_audio.append(time.perf_counter() - began)


async def _speak(call: ClientCall) -> None:
    """The agent echoes."""
    await call.connected.wait()
    while True:
        await call.say(AudioFrame(bytes(2 * 960), 48000))


@contextmanager
def _silent_socket() -> Iterator[str]:
    """A server that takes everything and says nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind((HOST, 0))
        yield f"{HOST}:{silent.getsockname()[1]}"


@contextmanager
def _gateway(servers: str) -> Iterator[int]:
    port = free_port()
    with tempfile.TemporaryDirectory() as directory:
        config = Path(directory) / "glottis.toml"
        config.write_text(_CONFIG.format(port=port) + servers)
        with running(["-c", _SERVE, "serve", "--config", str(config)], SERVER_CORE) as process:
            wait_for_port(port, process)
            yield port


if __name__ == "__main__":
    main()
