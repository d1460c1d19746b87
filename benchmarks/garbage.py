"""How long garbage collections hold up many calls: Python's own, and those of ``glottis serve``.

Run with ``python -m benchmarks.garbage``. The calls are answered and come and go, but have no media; beside them,
bodies of JSON with many objects are parsed, and kept for a while. Times are CPU time of the thread.
"""

import argparse
import gc
import json
import logging
import random
import resource
import time
from collections import deque
from contextlib import AbstractAsyncContextManager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, cast

import trio
from glottis.config import load_config, resolve
from glottis.contracts.info import Principal
from glottis.dtls import Certificate
from glottis.media.ring import SLOT
from glottis.peer import PeerConnection, PeerSettings
from glottis.plugins import load_plugins
from glottis.server.gateway import Gateway, open_gateway
from glottis.server.runtime.collector import collecting
from glottis.server.runtime.pauses import Pauses
from glottis.server.sessions.attendance import Attendance
from glottis.server.sessions.channel import SignalingChannel
from glottis.server.sessions.session import Session
from glottis.signaling.messages import Offer
from glottis.signaling.session_request import parse_session_request_untrusted
from glottis.wire.address import Address

from benchmarks.processes import SERVER_CORE, output_of
from benchmarks.speech import SAMPLE_RATE, opus

CONFIG: Final = """[server]
port = 0
max_sessions = 100000
max_sessions_per_client = 100000
max_sessions_per_minute = 1000000
max_load = 1
[campaigns.echo]
agent = "echo"
"""
BODY: Final = json.dumps([[[]]] * 9000)
KEPT_BODIES: Final = 20


class Nobody:
    """In place of a client's channel."""

    def send(self, message: object) -> None:
        """Unheard."""

    def begin_closing(self, code: int, reason: str) -> None:
        """At once."""


class Callers:
    """Open sessions and end them."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        peer = PeerConnection(
            PeerSettings((opus(),), sample_rate=SAMPLE_RATE),
            certificate=Certificate.generate(),
            local_addresses=[Address("127.0.0.1", 9)],
            rng=random.Random(1),
        )
        self._offer = Offer(peer.make_offer())
        self._request = parse_session_request_untrusted(b'{"campaignId": "echo", "businessId": 1}')
        self._open: deque[Session] = deque()

    async def call(self) -> None:
        """One more."""
        sessions = self._gateway.sessions
        created = await sessions.create(self._request, Principal("bench"), "127.0.0.1", "http://127.0.0.1")
        session = sessions.find(created.session_id)
        assert session is not None
        attendance = Attendance(session, cast(SignalingChannel, Nobody()))
        attendance.begin()
        attendance.take(self._offer)
        self._open.append(session)

    def hang_up(self) -> None:
        """The oldest."""
        self._open.popleft().end("over")


async def measure(calls: int, seconds: float, *, own: bool) -> dict[str, float]:
    """In milliseconds, and KiB for each call."""
    with TemporaryDirectory() as directory:
        path = Path(directory) / "gateway.toml"
        path.write_text(CONFIG)
        config = resolve(load_config(path, {}), load_plugins())
    async with open_gateway(config) as gateway:
        collected: AbstractAsyncContextManager[Any] = (
            collecting(gateway.scheduler, lambda: len(gateway.sessions)) if own else nullcontext()
        )
        async with collected:
            callers = Callers(gateway)
            await callers.call()
            pauses = Pauses(time.thread_time)
            gc.callbacks.append(pauses)
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            for _ in range(calls):
                await callers.call()
                await trio.lowlevel.checkpoint()
            grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
            await _come_and_go(callers, seconds)
            gc.callbacks.remove(pauses)
        return {"longest": pauses.longest * 1e3, "collections": pauses.count, "kib": grown / calls}


async def _come_and_go(callers: Callers, seconds: float) -> None:
    kept: deque[object] = deque(maxlen=KEPT_BODIES)
    with trio.move_on_after(seconds):
        while True:
            await callers.call()
            callers.hang_up()
            kept.append(json.loads(BODY))
            await trio.sleep(2 * SLOT)


def main() -> None:
    """Measure both in processes of their own, or one of them in this."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.garbage", description=__doc__)
    parser.add_argument("--calls", type=int, default=1000, help="at a time (default: 1000)")
    parser.add_argument("--seconds", type=float, default=10.0, help="that they come and go (default: 10)")
    parser.add_argument("--only", choices=["python", "glottis"], help="in this process")
    options = parser.parse_args()
    if options.only is None:
        for name in ("python", "glottis"):
            command = ["-m", "benchmarks.garbage", f"--calls={options.calls}", f"--seconds={options.seconds}"]
            print(output_of([*command, f"--only={name}"], SERVER_CORE), end="", flush=True)
        return

    async def run() -> dict[str, float]:
        return await measure(options.calls, options.seconds, own=options.only == "glottis")

    logging.disable(logging.WARNING)  # the callers open their calls in one go
    result = trio.run(run)
    print(
        f"{options.only:8} {options.calls} calls: longest collection {result['longest']:.1f} ms, "
        f"{result['collections']:.0f} collections; {result['kib']:.0f} KiB for each call"
    )


if __name__ == "__main__":
    main()
