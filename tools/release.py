"""Builds every distribution of the workspace and tries it: ``python tools/release.py [--rehearse]``.

Sdists come from the tree, wheels from the sdists. They are installed in a fresh environment, in which the gateway has
to find its plugins and to accept the configuration of the demo. A release has a section in ``CHANGELOG.md`` with its
version and date; ``--rehearse`` goes without.
"""

import re
import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
DIST: Final = ROOT / "dist"


def main(arguments: list[str]) -> None:
    """Leave sdists and wheels in ``dist/``, or say what is wrong."""
    folders = members()
    version = common_version(folders)
    if "--rehearse" not in arguments:
        check_changelog(version)
    for path in DIST.glob("*"):
        path.unlink()
    for folder in folders:
        run(sys.executable, "-m", "build", "--outdir", DIST, folder)
    with tempfile.TemporaryDirectory() as directory:
        try_wheels(Path(directory), version)
    print(f"{len(folders)} distributions of {version} are in {DIST.relative_to(ROOT)}/.")


def members() -> list[Path]:
    """The folders of the workspace's distributions."""
    workspace = tomllib.loads((ROOT / "pyproject.toml").read_text())
    patterns = workspace["tool"]["uv"]["workspace"]["members"]
    return [path.parent for pattern in patterns for path in sorted(ROOT.glob(f"{pattern}/pyproject.toml"))]


def common_version(folders: list[Path]) -> str:
    """The one version that all distributions have."""
    projects = [tomllib.loads((folder / "pyproject.toml").read_text())["project"] for folder in folders]
    versions = {project["version"] for project in projects}
    if len(versions) > 1:
        sys.exit(f"Give all distributions one version; they have {', '.join(sorted(versions))}.")
    return str(versions.pop())


def check_changelog(version: str) -> None:
    """Its first section must be that of ``version``, with the day of its release."""
    heading = next(line for line in (ROOT / "CHANGELOG.md").read_text().splitlines() if line.startswith("## "))
    if not re.fullmatch(rf"## {re.escape(version)} \(\d{{4}}-\d\d-\d\d\)", heading):
        sys.exit(f"CHANGELOG.md begins with '{heading}': expected '## {version} (YYYY-MM-DD)'.")


def try_wheels(directory: Path, version: str) -> None:
    """Install the wheels in a new environment, and let the gateway find its parts there."""
    venv.create(directory, with_pip=True)
    bin_directory = directory / "bin"
    wheels = [path for path in sorted(DIST.glob("*.whl")) if not path.name.startswith("glottis_lab-")]
    run(bin_directory / "pip", "install", "--quiet", *wheels)  # without the lab, which brings what is compiled
    run(bin_directory / "pip", "check")
    run(bin_directory / "glottis", "plugins")
    run(bin_directory / "glottis", "check", "glottis-echo")
    run(bin_directory / "glottis", "config", "check", "--config", ROOT / "demo.toml")
    for path in sorted(directory.glob("lib/*/site-packages/glottis*.dist-info")):
        if not path.name.endswith(f"-{version}.dist-info") or not (path / "licenses" / "LICENSE").exists():
            sys.exit(f"{path.name}: expected version {version} and a licence in it.")


def run(*command: str | Path) -> None:
    """Run a command where no package of the tree is in the way; its failure is ours."""
    try:
        subprocess.run(command, cwd=tempfile.gettempdir(), check=True)
    except subprocess.CalledProcessError as error:
        sys.exit(f"{' '.join(map(str, command))} ended with {error.returncode}.")


if __name__ == "__main__":
    main(sys.argv[1:])
