"""A load test of admission: far more sessions are wanted than there may be, beside calls that are to notice nothing.

Each refusal is counted by its rule. Afterwards all sessions are over, and the gateway's processes are to hold what they
held before: descriptors and tasks exactly, memory nearly. See ``admission_load`` for who asks, and for what.
"""

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

from benchmarks.admission_load import FEW, MANY
from benchmarks.aims import COMPLETE, Aim
from benchmarks.fleet import wait_until_ready
from benchmarks.machine import WatchOfAll, complaints
from benchmarks.measurement import arguments_of, late_share, wait_for
from benchmarks.processes import family_of, free_port, resident_kib, running
from benchmarks.report import in_words
from benchmarks.scenarios import MIN_OPENING_RATE
from benchmarks.servers import SERVE
from benchmarks.signaling import CAMPAIGN, HOST
from benchmarks.soak import probe
from benchmarks.soak.server import Holdings, Server, install_probe
from benchmarks.spread import percentile, spread

MAX_LATE_MS: Final = 10.0
"""The aim for 99 % of the running calls' packets."""
ROOM: Final = 150
"""Sessions beside the running calls: somewhat fewer than are wanted at a time."""
WARM_UP_SECONDS: Final = 6.0
TOKEN_LIFETIME: Final = 30
"""Seconds; then all are over that nobody has connected to."""
PATIENCE: Final = TOKEN_LIFETIME + 15.0
CALLERS_NICE: Final = -5
"""Of the running calls' callers, if root measures: they share the cores, and have to be in time to see who is not."""
MAX_GROWTH_KIB: Final = 1.0
"""Of resident memory for each session, after a warm-up."""

_CONFIG: Final = f"""
[server]
host = "{HOST}"
port = {{port}}
workers = {{workers}}
max_sessions = {{sessions}}
max_sessions_per_minute = 120
max_sessions_per_client = {{of_client}}
queue = 20
resume_grace = 0
token_lifetime = {TOKEN_LIFETIME}

[auth]
scheme = "anonymous"

[campaigns.{CAMPAIGN}]
agent = "{probe.READING}"

[campaigns.{MANY}]
agent = "echo"

[campaigns.{FEW}]
agent = "echo"
max_sessions = 10

[media]
jitter_buffer = "fixed"

[log]
level = "error"
"""
"""The adaptive buffer would answer lateness of the callers, who share the cores, by delay that looks like its own."""


@dataclass(frozen=True, slots=True)
class Gateway:
    """Its parent's process is ``pid``, if it has several."""

    port: int
    pid: int
    workers: int
    count: Path

    def holdings(self) -> Holdings:
        """Of all processes together; the parent's tasks are not counted, for it has no plugins that could."""
        pids = family_of(self.pid)
        serving = pids[1:] if self.workers > 1 else pids
        held = [Server(self.port, pid, self.count).holdings() for pid in serving]
        if self.workers > 1:
            held.append(Holdings(resident_kib(self.pid), len(os.listdir(f"/proc/{self.pid}/fd")), 0))
        return Holdings(*(sum(getattr(one, field.name) for one in held) for field in fields(Holdings)))

    def settle(self, before: Holdings | None = None) -> Holdings:
        """What it holds once all sessions are over, or after as long as that may take."""
        deadline = time.monotonic() + PATIENCE
        while True:
            held = self.holdings()
            time.sleep(0.5)
            same_again = self.holdings()
            is_same = (held.descriptors, held.tasks) == (same_again.descriptors, same_again.tasks)
            reached = (
                is_same if before is None else (held.descriptors, held.tasks) == (before.descriptors, before.tasks)
            )
            if reached or time.monotonic() > deadline:
                return same_again


@dataclass(frozen=True, slots=True)
class Admission:
    """What came of it."""

    crowd: dict[str, Any]
    calls: dict[str, Any]
    before: Holdings
    after: Holdings
    complaints: Sequence[str]

    @property
    def created(self) -> int:
        """How many sessions."""
        return sum(count for rule, count in self.crowd["outcomes"].items() if rule.startswith("200"))

    @property
    def growth(self) -> float:
        """KiB for each session."""
        return (self.after.resident_kib - self.before.resident_kib) / max(1, self.created)


def measure_admission(workers: int, calls: int, per_minute: float, seconds: float) -> Admission:
    """With so many calls, and so many requests for sessions."""
    with _serving(workers, calls) as gateway:
        with _calls(gateway, calls, WARM_UP_SECONDS) as callers:  # what both have once is not what each session has
            wait_for("warm", callers)
            wait_for("steady", callers)
            with _crowd(gateway, WARM_UP_SECONDS, per_minute) as crowd:
                _results_of(crowd)
            _results_of(callers)
        time.sleep(TOKEN_LIFETIME + 1)
        before = gateway.settle()
        with _calls(gateway, calls, seconds) as callers:
            wait_for("warm", callers)
            wait_for("steady", callers)
            with _crowd(gateway, seconds, per_minute) as crowd:
                watch = WatchOfAll([*family_of(gateway.pid), callers.pid, crowd.pid])
                heard = _results_of(callers)
                noise = watch.noise()
                seen = _results_of(crowd)
        after = gateway.settle(before)
    return Admission(seen, heard, before, after, complaints([noise], [1.0]))


def print_admission(result: Admission) -> None:
    """The tables, for people."""
    total = sum(result.crowd["outcomes"].values())
    print(f"\n{'answer':100}{'requests':>9}{'Retry-After, s':>16}")
    for rule, count in sorted(result.crowd["outcomes"].items()):
        waits = [wait for wait in result.crowd["waits"][rule] if wait >= 0]
        shown = f"{min(waits)}–{max(waits)}" if len(waits) > 1 else "".join(map(str, waits))
        print(f"{rule[:99]:100}{count:9}{shown:>16}")
    print(f"{'all':100}{total:9}")
    times, late = result.crowd["times"], result.calls["lateness"]
    print(
        f"\na session was created in {percentile(times, 50):.1f} / {percentile(times, 99):.1f} ms (p50 / p99); "
        f"WebSockets that broke: {result.crowd['broken']}"
    )
    worst = f"{max(late, default=0):.0f} ms"
    print(
        f"running calls: late by {percentile(late, 50):.1f} / {percentile(late, 99):.1f} / {worst} "
        f"(p50 / p99 / most), {_late(result):.3%} of the packets by a frame, or not at all; machine: "
        f"{in_words(result.complaints)}"
    )
    before, after = result.before, result.after
    print(
        f"held before and after: {before.resident_kib / 1024:.1f}, {after.resident_kib / 1024:.1f} MiB; "
        f"descriptors {before.descriptors}, {after.descriptors}; tasks {before.tasks}, {after.tasks}"
    )


def admission_aims(result: Admission) -> list[Aim]:
    """What is to be reached."""
    noise = tuple(result.complaints)
    came, due = sum(result.calls["packets"]), result.calls["packets_due"] * len(result.calls["packets"])
    late, left = percentile(result.calls["lateness"], 99), result.after
    descriptors, tasks = left.descriptors - result.before.descriptors, left.tasks - result.before.tasks
    return [
        Aim(
            "lateness of running calls, p99, ms",
            MAX_LATE_MS,
            spread([late]),
            complaints=noise,
            is_complete=came >= COMPLETE * due,
        ),
        Aim("descriptors and tasks that are left", 0, spread([abs(descriptors) + abs(tasks)])),
        Aim("memory for each session that was, KiB", MAX_GROWTH_KIB, spread([result.growth])),
        Aim("requests without an answer, and WebSockets that broke", 0, spread([float(_unanswered(result))])),
    ]


def _unanswered(result: Admission) -> int:
    outcomes: dict[str, int] = result.crowd["outcomes"]
    broken: int = result.crowd["broken"]
    return broken + sum(count for rule, count in outcomes.items() if rule.startswith("0 "))


def _late(result: Admission) -> float:
    return late_share(result.calls["lateness"], result.calls["packets"], result.calls["packets_due"])


@contextmanager
def _serving(workers: int, calls: int) -> Iterator[Gateway]:
    port = free_port()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        config, count = directory / "glottis.toml", directory / "count"
        sessions, of_client = calls + ROOM, max(calls + 1, 40)
        config.write_text(_CONFIG.format(port=port, workers=workers, sessions=sessions, of_client=of_client))
        install_probe(directory, count)
        with running(["-c", SERVE, "serve", "--config", str(config)], None) as process:
            wait_until_ready(port)
            yield Gateway(port, process.pid, workers, count)


@contextmanager
def _crowd(gateway: Gateway, seconds: float, per_minute: float) -> Iterator[subprocess.Popen[str]]:
    options = {"port": gateway.port, "count": round(seconds * per_minute / 60), "per-minute": per_minute}
    with running(["-m", "benchmarks.admission_load", *arguments_of(options)], None) as process:
        yield process


@contextmanager
def _calls(gateway: Gateway, calls: int, seconds: float) -> Iterator[subprocess.Popen[str]]:
    options = {"server": "glottis", "port": gateway.port, "calls": calls, "rate": MIN_OPENING_RATE, "seconds": seconds}
    with running(["-m", "benchmarks.load", *arguments_of(options)], None) as process:
        if os.getuid() == 0:
            os.setpriority(os.PRIO_PROCESS, process.pid, CALLERS_NICE)
        yield process


def _results_of(process: subprocess.Popen[str]) -> dict[str, Any]:
    wait_for("over", process)
    assert process.stdout
    seen: dict[str, Any] = json.loads(process.stdout.readline())
    return seen
