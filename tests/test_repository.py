"""The house keeps its own rules on imports, types and style. Each tool says what is wrong, and where."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
TOOLS = Path(sys.executable).parent
WORKSPACE = tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.mark.parametrize(
    "command",
    [["lint-imports"], ["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"]],
    ids=["imports", "lint", "format", "types"],
)
def test_tool_finds_nothing(command: list[str]) -> None:
    result = subprocess.run([TOOLS / command[0], *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def projects() -> dict[str, dict[str, Any]]:
    """The ``pyproject.toml`` of each member of the workspace, by the member's name."""
    members = WORKSPACE["tool"]["uv"]["workspace"]["members"]
    paths = [path for pattern in members for path in sorted(ROOT.glob(f"{pattern}/pyproject.toml"))]
    contents = [tomllib.loads(path.read_text()) for path in paths]
    return {content["project"]["name"]: content for content in contents}


def test_every_distribution_is_a_member_of_the_workspace() -> None:
    folders = [path for folder in ("core", "codecs", "plugins") for path in (ROOT / folder).glob("**/pyproject.toml")]
    assert len(projects()) == len([path for path in folders if ".venv" not in path.parts])


def test_what_members_of_the_workspace_need_of_each_other_comes_from_it() -> None:
    """uv refuses to build the workspace otherwise."""
    needs = [need for content in projects().values() for need in content["project"]["dependencies"]]
    needs += [need for content in projects().values() for need in content["build-system"]["requires"]]
    names = {match[0] for need in needs if (match := re.match(r"[A-Za-z0-9._-]+", need))}
    assert WORKSPACE["tool"]["uv"]["sources"] == {name: {"workspace": True} for name in names & projects().keys()}


def test_every_distribution_of_the_workspace_has_what_it_needs() -> None:
    distributions = [ROOT / "core", *sorted((ROOT / "codecs").glob("*/")), *sorted((ROOT / "plugins").glob("*/"))]
    missing = [
        f"{directory.relative_to(ROOT)}: {name}"
        for directory in distributions
        if (directory / "pyproject.toml").exists()
        for name in ("README.md", *(["tests"] if directory.name != "core" else []))
        if not (directory / name).exists()
    ]
    assert missing == []
