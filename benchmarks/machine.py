"""Whether the machine was quiet enough to believe what was measured on it."""

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from benchmarks.processes import cpu_seconds
from benchmarks.spread import spread

MAX_STEAL: Final = 0.01
MAX_OTHERS: Final = 0.05
MAX_CONTROL_SPREAD: Final = 0.10
_TICKS_PER_SECOND: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Noise:
    """What disturbed one run, as shares (0–1) of the time of that core which had more of it."""

    steal: float
    """Taken by the host for other machines (proc(5))."""
    others: float
    """Spent on processes that have nothing to do with the benchmark."""


@dataclass(frozen=True, slots=True)
class CoreTimes:
    """What the kernel has counted of a core since it started, in seconds, and of the process that is measured on it."""

    total: float
    busy: float
    """In processes, be it in their code or in the kernel's."""
    steal: float
    own: float

    @classmethod
    def parse(cls, line: str, own: float) -> "CoreTimes":
        """Of a line of ``/proc/stat``: user, nice, system, idle, iowait, irq, softirq, steal."""
        ticks = [int(field) / _TICKS_PER_SECOND for field in line.split()[1:9]]
        return cls(total=sum(ticks), busy=sum(ticks[:3]), steal=ticks[7], own=own)


class Watch:
    """Looks at some cores, and the one process on each that belongs there, from now on."""

    def __init__(self, pids: Mapping[int, int]) -> None:
        self._pids = pids
        self._before = self._read()

    def noise(self) -> Noise:
        """Since the beginning."""
        return noise_between(self._before, self._read())

    def _read(self) -> list[CoreTimes]:
        lines = Path("/proc/stat").read_text().splitlines()
        by_name = {line.split(maxsplit=1)[0]: line for line in lines}
        return [CoreTimes.parse(by_name[f"cpu{core}"], cpu_seconds(pid)) for core, pid in self._pids.items()]


class WatchOfAll:
    """Looks at all cores together, on which these processes and no others belong; shares are those of one core."""

    def __init__(self, pids: Sequence[int]) -> None:
        self._pids = pids
        self._before = self._read()

    def noise(self) -> Noise:
        """Since the beginning."""
        return noise_between([self._before], [self._read()])

    def _read(self) -> CoreTimes:
        line = Path("/proc/stat").read_text().partition("\n")[0]
        times = CoreTimes.parse(line, sum(map(cpu_seconds, self._pids)))
        return replace(times, total=times.total / (os.cpu_count() or 1))


def noise_between(before: Sequence[CoreTimes], after: Sequence[CoreTimes]) -> Noise:
    """The same cores in the same order, at two moments."""
    steal = others = 0.0
    for old, new in zip(before, after, strict=True):
        elapsed = max(new.total - old.total, 1 / _TICKS_PER_SECOND)
        steal = max(steal, (new.steal - old.steal) / elapsed)
        others = max(others, (new.busy - old.busy - (new.own - old.own)) / elapsed)
    return Noise(steal, others)


def complaints(noises: Sequence[Noise], controls: Sequence[float]) -> list[str]:
    """Why the rounds of a row prove nothing, in words; none if the machine was quiet.

    ``controls`` are what the same piece of work has cost in each round: if nothing disturbs, it costs the same each
    time. The shares are medians, as what is shown of the rounds is.
    """
    found = []
    steal = spread([noise.steal for noise in noises]).median
    others = spread([noise.others for noise in noises]).median
    control = spread(controls).relative
    if steal > MAX_STEAL:
        found.append(f"the host took {steal:.0%}")
    if others > MAX_OTHERS:
        found.append(f"others took {others:.0%} of a core")
    if control > MAX_CONTROL_SPREAD:
        found.append(f"the control spread by {control:.0%}")
    return found


def description() -> dict[str, str]:
    """The processor, the kernel and Python."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
    return {
        "processor": f"{model}, {os.cpu_count()} cores",
        "kernel": platform.release(),
        "python": platform.python_version(),
    }
