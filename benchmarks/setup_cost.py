"""What it costs to set up a call, and to keep one that has only been answered."""

import subprocess
from dataclasses import dataclass
from typing import Final

from benchmarks.machine import Noise, Watch
from benchmarks.measurement import arguments_of, wait_for
from benchmarks.processes import CALLERS_CORE, HERE, SERVER_CORE, Checkout, cpu_seconds, resident_kib, running
from benchmarks.scenarios import Kind, Scenario
from benchmarks.servers import Server, glottis

RATE: Final = 5.0
"""Calls per second."""
COUNT: Final = 15
ANSWERED: Final = 100


@dataclass(frozen=True, slots=True)
class SetupCost:
    """Milliseconds of the server's CPU time, without what it spends while nobody calls; and KiB."""

    session: float
    """To create a session by HTTP, open its WebSocket, and close it."""
    connecting: float
    """From the offer until the call is connected, and its end: what a call costs beyond a session."""
    answered_kib: float
    """The resident set of a session, with its WebSocket, that is answered and not connected."""
    noise: Noise


def measure_setup(checkout: Checkout = HERE) -> SetupCost:
    """One after the other, in one server."""
    options = {"count": COUNT, "rate": RATE, "answered": ANSWERED}
    with glottis(Scenario(Kind.ECHO, 1), checkout) as server:
        arguments = ["-m", "benchmarks.setup_load", *arguments_of({"port": server.port, **options})]
        with running(arguments, CALLERS_CORE) as callers:
            wait_for("warm", callers)
            watch = Watch({SERVER_CORE: server.pid, CALLERS_CORE: callers.pid})
            idle = _cpu_until("idle", callers, server)
            sessions = _cpu_until("sessions", callers, server)
            calls = _cpu_until("calls", callers, server)
            noise = watch.noise()
            resident_before = resident_kib(server.pid)
            wait_for("answered", callers)
            resident = resident_kib(server.pid) - resident_before
            callers.wait()  # so that the server need not end so many sessions at once
    return SetupCost(
        session=(sessions - idle) / COUNT * 1e3,
        connecting=(calls - sessions) / COUNT * 1e3,
        answered_kib=resident / ANSWERED,
        noise=noise,
    )


def _cpu_until(phase: str, callers: subprocess.Popen[str], server: Server) -> float:
    before = cpu_seconds(server.pid)
    wait_for(phase, callers)
    return cpu_seconds(server.pid) - before
