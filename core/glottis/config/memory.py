"""How many sessions fit into the memory that there is, for ``server.max_sessions = "auto"``."""

from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Final

MIB: Final = 1 << 20
SHARE: Final = 0.75
"""Of the memory that this process may have; the rest is for what comes and goes, and for the page cache."""
PROCESS: Final = 128 * MIB
"""A process without calls: one with all plugins of this repository has 75 MiB."""
SESSION: Final = MIB
"""A call: of Opus with the agent ``echo`` one has taken 0.35 MiB. Agents have the rest."""
WITHOUT_A_WORD: Final = 1000
"""Where the system does not tell."""


@cache
def sessions_that_fit(processes: int) -> int:
    """By the memory that there is when this is first asked."""
    return sessions_in(memory_there_is(), processes)


def sessions_in(memory: int | None, processes: int) -> int:
    """At least one: who has started may serve somebody."""
    if memory is None:
        return WITHOUT_A_WORD
    return max(1, int(SHARE * memory - processes * PROCESS) // SESSION)


def memory_there_is(root: Path = Path("/")) -> int | None:
    """Bytes that may be used: of the machine, and of the control groups around this process (cgroups(7))."""
    available = _available(root)
    found = [*_limits_of_groups(root), *([] if available is None else [available])]
    return min(found, default=None)


def _available(root: Path) -> int | None:
    with suppress(OSError, ValueError, IndexError):
        for line in (root / "proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return None


def _limits_of_groups(root: Path) -> Iterator[int]:
    """Of version 2 and version 1; a container may see its own group as the root, whatever it is called outside."""
    with suppress(OSError):
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if not controllers:
                yield from _limits(root / "sys/fs/cgroup", path, "memory.max")
            elif "memory" in controllers.split(","):
                yield from _limits(root / "sys/fs/cgroup/memory", path, "memory.limit_in_bytes")


def _limits(mount: Path, path: str, name: str) -> Iterator[int]:
    group = mount / path.strip("/")
    for folder in (group, *group.parents):
        with suppress(OSError, ValueError):  # "max" is no number, and no limit
            yield int((folder / name).read_text())
        if folder == mount:
            return
