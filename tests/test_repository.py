"""The house keeps its own rules on imports, types and style. Each tool says what is wrong, and where."""

import ast
import re
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
TOOLS = Path(sys.executable).parent
SOURCES = [
    path
    for pattern in ("core/glottis/**/*.py", "codecs/*/glottis_*/**/*.py", "plugins/*/glottis_*/**/*.py")
    for path in sorted(ROOT.glob(pattern))
    if not path.name.startswith("_") or path.name == "__init__.py"  # extension modules have names of one underscore
]
MAX_FUNCTION_LINES = 50
WORKSPACE = tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.mark.parametrize(
    "command",
    [["lint-imports"], ["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"]],
    ids=["imports", "lint", "format", "types"],
)
def test_tool_finds_nothing(command: list[str]) -> None:
    result = subprocess.run([TOOLS / command[0], *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def functions(path: Path) -> list[Function]:
    return [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, Function)]


def test_functions_are_short() -> None:
    lengths = {
        f"{path.relative_to(ROOT)}:{function.lineno} {function.name}": (function.end_lineno or 0) - function.lineno + 1
        for path in SOURCES
        for function in functions(path)
    }
    assert [f"{name}: {length} lines" for name, length in lengths.items() if length > MAX_FUNCTION_LINES] == []


def said_of_fuzzing() -> str:
    """What fuzz tests say of themselves. Each says what may be raised, or that it is one."""
    tests = [path for depth in ("*", "*/*", "*/*/*") for path in ROOT.glob(f"{depth}/test_*.py")]
    words = [ast.get_docstring(function) or "" for path in tests for function in functions(path)]
    return "\n".join(text for text in words if "Malformed" in text or text.startswith("Fuzz: "))


def module_of(path: Path) -> str:
    folders = path.with_suffix("").parts
    return ".".join(folders[next(at for at, name in enumerate(folders) if name.startswith("glottis")) :])


def test_each_reader_of_untrusted_bytes_is_named_by_a_fuzz_test() -> None:
    """Or its module is, if all in it are tried. What has a name of its module's own is reached through another."""
    said = said_of_fuzzing()
    unnamed = [
        f"{module_of(path)}: {function.name}"
        for path in SOURCES
        for function in functions(path)
        if function.name.endswith("_untrusted") and not function.name.startswith("_")
        if not re.search(rf"\b({function.name}|{re.escape(module_of(path))})\b", said)
    ]
    assert unnamed == []


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
