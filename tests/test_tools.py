"""The scripts of ``tools/``, with everything that they would change replaced by words."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[1] / "tools"

APT_GET = """#!/bin/sh
echo "apt-get $*" >>"$LOG"
[ -s "$FAILURES" ] || exit 0
head -n 1 "$FAILURES" >&2
sed -i 1d "$FAILURES"
exit 100
"""


class Debian:
    """A machine that lacks every package; ``commands`` is what was done on it."""

    def __init__(self, directory: Path) -> None:
        self._bin = directory / "bin"
        self._log = directory / "log"
        self._failures = directory / "failures"
        self._bin.mkdir()
        self._command("apt-get", APT_GET)
        self._command("dpkg-query", "#!/bin/sh\nexit 1\n")
        self._command("id", "#!/bin/sh\necho 0\n")
        self._command("sleep", '#!/bin/sh\necho "sleep $*" >>"$LOG"\n')

    def _command(self, name: str, script: str) -> None:
        path = self._bin / name
        path.write_text(script)
        path.chmod(0o755)

    @property
    def commands(self) -> list[str]:
        return self._log.read_text().splitlines()

    def install(self, failures: list[str]) -> subprocess.CompletedProcess[str]:
        """Run the script where ``apt-get`` fails so often, each time with a line, before it succeeds."""
        self._failures.write_text("".join(f"{line}\n" for line in failures))
        environment = {
            "PATH": f"{self._bin}:{os.environ['PATH']}",
            "LOG": str(self._log),
            "FAILURES": str(self._failures),
        }
        command = [str(TOOLS / "install-system-packages"), "test"]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def debian(tmp_path: Path) -> Debian:
    return Debian(tmp_path)


LISTS = "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 1 (apt-get)"
ARCHIVES = "E: Could not get lock /var/cache/apt/archives/lock. It is held by process 1 (apt-get)"


def test_packages_are_installed_once_lists_are_there(debian: Debian) -> None:
    assert debian.install([]).returncode == 0
    update, install = debian.commands
    assert update == "apt-get -qq -o DPkg::Lock::Timeout=120 update"
    assert install.startswith("apt-get -qq -o DPkg::Lock::Timeout=120 install -y --no-install-recommends ")
    assert "openssl" in install.split()


def test_locks_of_others_are_waited_for(debian: Debian) -> None:
    result = debian.install([LISTS, LISTS, LISTS])
    assert result.returncode == 0
    assert result.stderr.count("Waiting for another apt-get") == 1
    assert [command.split()[0] for command in debian.commands] == ["apt-get", "sleep"] * 3 + ["apt-get", "apt-get"]


@pytest.mark.slow
def test_lock_that_is_never_let_go_of_ends_the_wait(debian: Debian) -> None:
    result = debian.install([ARCHIVES] * 1000)
    assert result.returncode == 1
    assert ARCHIVES in result.stderr
    assert debian.commands.count("sleep 2") == 60


def test_other_failures_are_told_at_once(debian: Debian) -> None:
    result = debian.install(["E: Unable to locate package openssl"])
    assert result.returncode == 1
    assert "Unable to locate package openssl" in result.stderr
    assert len(debian.commands) == 1


@pytest.mark.slow
def test_diagrams_of_states_are_drawn_from_the_tables_as_they_are(tmp_path: Path) -> None:
    drawn = tmp_path / "states.md"
    subprocess.run([sys.executable, TOOLS / "draw_states.py", drawn], check=True)
    assert (TOOLS.parent / "docs" / "states.md").read_text() == drawn.read_text(), "run tools/draw_states.py"


@pytest.mark.parametrize(("taken", "status"), [(1936, 1), (1940, 0)])
def test_too_few_branches_are_an_error_whatever_the_lines_are(tmp_path: Path, taken: int, status: int) -> None:
    report = tmp_path / "coverage.json"
    totals = {"percent_covered": 99.0, "num_branches": 2000, "covered_branches": taken}
    report.write_text(json.dumps({"totals": totals}))
    command = [sys.executable, str(TOOLS / "check_branches.py"), str(report), "97"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == status
    assert result.stdout == f"{taken} of 2000 branches are taken: {taken / 20:.1f} %\n"
    assert result.stderr == ("Take 97 % of the branches at least.\n" if status else "")


def release(tree: Path, *, versions: tuple[str, ...], heading: str) -> str:
    """What the release of a tree says that it lacks."""
    (tree / "tools").mkdir()
    script = shutil.copy(TOOLS / "release.py", tree / "tools")
    (tree / "pyproject.toml").write_text('[tool.uv.workspace]\nmembers = ["plugins/*"]\n')
    (tree / "CHANGELOG.md").write_text(f"# Changes\n\n{heading}\n\n## 0.9.0 (2026-01-31)\n")
    for number, version in enumerate(versions):
        member = tree / "plugins" / str(number)
        member.mkdir(parents=True)
        (member / "pyproject.toml").write_text(f'[project]\nname = "p{number}"\nversion = "{version}"\n')
    result = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert result.returncode == 1
    return result.stderr


def test_release_wants_one_version_of_all_distributions(tmp_path: Path) -> None:
    said = release(tmp_path, versions=("1.0.0", "0.9.0"), heading="## 1.0.0 (2026-05-01)")
    assert said == "Give all distributions one version; they have 0.9.0, 1.0.0.\n"


@pytest.mark.parametrize(
    "heading", ["## 1.0.0 (unreleased)", "## 1.0.0", "## 0.9.0 (2026-01-31)", "## 1x0.0 (2026-05-01)"]
)
def test_release_wants_its_version_and_day_first_in_the_changes(tmp_path: Path, heading: str) -> None:
    said = release(tmp_path, versions=("1.0.0", "1.0.0"), heading=heading)
    assert said == f"CHANGELOG.md begins with '{heading}': expected '## 1.0.0 (YYYY-MM-DD)'.\n"


@pytest.mark.parametrize(("status", "said"), [(0, "The parts for speech are installed"), (1, "No parts for speech")])
def test_parts_for_speech_are_installed_where_that_can_be_done(tmp_path: Path, status: int, said: str) -> None:
    pip, done = tmp_path / "pip", tmp_path / "done"
    pip.write_text(f"#!/bin/sh\necho much\necho more >&2\nexit {status}\n")
    pip.chmod(0o755)
    runs = [subprocess.run([TOOLS / "install-speech", pip, done], capture_output=True, text=True) for _ in range(2)]
    assert [run.returncode for run in runs] == [0, 0]
    assert runs[0].stdout.startswith(said)
    assert runs[0].stdout.count("\n") == 1
    assert runs[1].stdout == ("" if status == 0 else runs[0].stdout)
    assert done.exists() == (status == 0)
    assert not runs[0].stderr
