"""How many sessions a machine's memory is said to bear."""

from pathlib import Path

import pytest
from glottis.config.memory import MIB, WITHOUT_A_WORD, memory_there_is, sessions_in
from glottis.config.settings import Server

MEMINFO = "MemTotal:       1000000 kB\nMemAvailable:    512000 kB\n"


@pytest.mark.parametrize(
    ("files", "mebibytes"),
    [
        ({"proc/meminfo": MEMINFO}, 500),
        ({"proc/meminfo": MEMINFO, "proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/memory.max": f"{256 * MIB}"}, 256),
        ({"proc/meminfo": MEMINFO, "proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "max\n"}, 500),
        ({"proc/meminfo": MEMINFO, "proc/self/cgroup": "0::/outside\n", "sys/fs/cgroup/memory.max": f"{MIB}\n"}, 1),
        (
            {
                "proc/meminfo": MEMINFO,
                "proc/self/cgroup": "9:name=systemd:/\n4:cpu,memory:/x\n0::/\n",
                "sys/fs/cgroup/memory/x/memory.limit_in_bytes": f"{300 * MIB}\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
            },
            300,
        ),
    ],
)
def test_the_least_of_what_the_machine_and_its_control_groups_let_one_have(
    files: dict[str, str], mebibytes: int, tmp_path: Path
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert memory_there_is(tmp_path) == mebibytes * MIB


def test_a_system_that_tells_nothing_has_as_many_as_by_default(tmp_path: Path) -> None:
    assert memory_there_is(tmp_path) is None
    assert sessions_in(None, 1) == WITHOUT_A_WORD == Server().most_sessions


@pytest.mark.parametrize(("mebibytes", "processes", "sessions"), [(256, 1, 64), (1024, 2, 512), (64, 1, 1)])
def test_of_three_quarters_what_the_processes_leave_is_a_mebibyte_for_each(
    mebibytes: int, processes: int, sessions: int
) -> None:
    assert sessions_in(mebibytes * MIB, processes) == sessions


def test_this_machine_bears_some() -> None:
    assert Server(max_sessions="auto").most_sessions > 1
    assert Server(max_sessions=7).most_sessions == 7
