"""The house keeps its own rules on imports, types and style. Each tool says what is wrong, and where."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TOOLS = Path(sys.executable).parent


@pytest.mark.parametrize(
    "command",
    [["lint-imports"], ["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"]],
    ids=["imports", "lint", "format", "types"],
)
def test_tool_finds_nothing(command: list[str]):
    result = subprocess.run([TOOLS / command[0], *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_distribution_of_the_workspace_has_what_it_needs():
    distributions = [ROOT / "core", *sorted((ROOT / "codecs").glob("*/")), *sorted((ROOT / "plugins").glob("*/"))]
    missing = [
        f"{directory.relative_to(ROOT)}: {name}"
        for directory in distributions
        if (directory / "pyproject.toml").exists()
        for name in ("README.md", *(["tests"] if directory.name != "core" else []))
        if not (directory / name).exists()
    ]
    assert missing == []
