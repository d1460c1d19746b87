"""The house keeps its own rules on imports, types and style. Each tool says what is wrong, and where."""

import ast
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import packages_distributions
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from support.created import create_all
from support.installing import build_wheels

ROOT = Path(__file__).parents[1]
TOOLS = Path(sys.executable).parent
SOURCES = [
    path
    for pattern in ("core/glottis/**/*.py", "codecs/*/glottis_*/**/*.py", "plugins/*/glottis_*/**/*.py")
    for path in sorted(ROOT.glob(pattern))
]
MAX_FILE_LINES = 400
MAX_LINES_OF_A_MEETING_POINT = 200
MAX_FUNCTION_LINES = 50
WORKSPACE = tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [["lint-imports"], ["ruff", "check", "."], ["ruff", "format", "--check", "."]],
    ids=["imports", "lint", "format"],
)
def test_tool_finds_nothing(command: list[str]) -> None:
    run_tool(*command)


@pytest.mark.slow
def test_types_fit_here_and_in_what_glottis_new_creates(tmp_path: Path) -> None:
    """At once, for mypy reads a minute until it knows glottis. Our settings are no less strict than theirs."""
    created = create_all(tmp_path)
    own = [ROOT / path for path in WORKSPACE["tool"]["mypy"]["files"]]
    new = [path for folder in created for path in (next(folder.glob("glottis_*")), folder / "tests")]
    run_tool("mypy", *own, *new, MYPYPATH=":".join(map(str, created)))


def run_tool(tool: str, *arguments: str | Path, **variables: str) -> None:
    command = [TOOLS / tool, *arguments]
    environment = os.environ | variables
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


class Function(NamedTuple):
    """What is asked of one; trees of all files would be a million objects."""

    name: str
    line: int
    length: int
    words: str


class Source(NamedTuple):
    functions: list[Function]
    imports: set[str]
    """Top-level names, but for those of its own package."""


@cache
def read(path: Path) -> Source:
    functions: list[Function] = []
    imports: set[str] = set()
    for node in statements(path):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                length = (node.end_lineno or 0) - node.lineno + 1
                functions.append(Function(node.name, node.lineno, length, ast.get_docstring(node) or ""))
            case ast.Import():
                imports |= {alias.name.partition(".")[0] for alias in node.names}
            case ast.ImportFrom(module=str(module), level=0):
                imports.add(module.partition(".")[0])
    return Source(functions, imports)


def statements(path: Path) -> Iterator[ast.AST]:
    """What a function does in one expression is of no interest here."""
    waiting: list[ast.AST] = [ast.parse(path.read_text())]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += (child for child in ast.iter_child_nodes(node) if not isinstance(child, ast.expr))


def test_files_are_short() -> None:
    lengths = {path.relative_to(ROOT): len(path.read_text().splitlines()) for path in SOURCES}
    assert [f"{path}: {length} lines" for path, length in lengths.items() if length > MAX_FILE_LINES] == []


@pytest.mark.parametrize(
    ("path", "name"), [("peer/connection.py", "PeerConnection"), ("server/sessions/session.py", "Session")]
)
def test_what_every_feature_passes_by_stays_small(path: str, name: str) -> None:
    tree = ast.parse((ROOT / "core" / "glottis" / path).read_text())
    (found,) = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name]
    assert found.end_lineno is not None
    assert found.end_lineno - found.lineno < MAX_LINES_OF_A_MEETING_POINT


@pytest.mark.slow
def test_functions_are_short() -> None:
    lengths = {
        f"{path.relative_to(ROOT)}:{function.line} {function.name}": function.length
        for path in SOURCES
        for function in read(path).functions
    }
    assert [f"{name}: {length} lines" for name, length in lengths.items() if length > MAX_FUNCTION_LINES] == []


def said_of_fuzzing() -> str:
    """What fuzz tests say of themselves. Each says what may be raised, or that it is one."""
    tests = [path for depth in ("*", "*/*", "*/*/*") for path in ROOT.glob(f"{depth}/test_*.py")]
    speaking = [path for path in tests if re.search("Malformed|Fuzz: ", path.read_text())]
    words = [function.words for path in speaking for function in read(path).functions]
    return "\n".join(text for text in words if "Malformed" in text or text.startswith("Fuzz: "))


def module_of(path: Path) -> str:
    folders = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(folders[next(at for at, name in enumerate(folders) if name.startswith("glottis")) :])


@pytest.mark.slow
def test_each_reader_of_untrusted_bytes_is_named_by_a_fuzz_test() -> None:
    """Or its module is, if all in it are tried. Those that are private to a module are reached through the others."""
    said = said_of_fuzzing()
    unnamed = [
        f"{module_of(path)}: {function.name}"
        for path in SOURCES
        for function in read(path).functions
        if function.name.endswith("_untrusted") and not function.name.startswith("_")
        if not re.search(rf"\b({function.name}|{re.escape(module_of(path))})\b", said)
    ]
    assert unnamed == []


def project_of(folder: Path) -> dict[str, Any]:
    """The ``pyproject.toml`` of a member of the workspace."""
    return tomllib.loads((folder / "pyproject.toml").read_text())


MEMBERS = [
    path.parent
    for pattern in WORKSPACE["tool"]["uv"]["workspace"]["members"]
    for path in sorted(ROOT.glob(f"{pattern}/pyproject.toml"))
]
KITS = {kit: ROOT / "core" / "glottis" / kit.name for kit in MEMBERS if kit.parent.name == "kits"}
"""Distributions of packages that lie in the core's folder, which its own leaves out."""
TESTED_HERE = {ROOT / "core", *KITS}
PROJECTS = {project_of(folder)["project"]["name"]: project_of(folder) for folder in MEMBERS}


NEEDS = [
    need
    for content in PROJECTS.values()
    for need in chain(
        content["project"]["dependencies"],
        content["build-system"]["requires"],
        *content["project"].get("optional-dependencies", {}).values(),
    )
]


def names_of(requirements: list[str]) -> set[str]:
    return {normal(match[0]) for need in requirements if (match := re.match(r"[A-Za-z0-9._-]+", need))}


def normal(distribution: str) -> str:
    """Its name as PEP 503 has it."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def test_every_distribution_is_a_member_of_the_workspace() -> None:
    folders = [path for folder in ("core", "codecs", "plugins") for path in (ROOT / folder).glob("**/pyproject.toml")]
    assert len(PROJECTS) == len([path for path in folders if ".venv" not in path.parts])


def test_what_members_of_the_workspace_need_of_each_other_comes_from_it() -> None:
    """uv refuses to build the workspace otherwise."""
    names = names_of(NEEDS) & PROJECTS.keys()
    assert WORKSPACE["tool"]["uv"]["sources"] == {name: {"workspace": True} for name in names}


def test_every_need_has_an_upper_bound() -> None:
    groups = WORKSPACE["dependency-groups"].values()
    tools = [need for group in groups for need in group if "include-group" not in need]
    assert [need for need in NEEDS + tools if not re.search("<|~=|==", need)] == []


def test_every_distribution_of_the_workspace_has_what_it_needs() -> None:
    missing = [
        f"{folder.relative_to(ROOT)}: {name}"
        for folder in MEMBERS
        for name in ("README.md", "LICENSE", *(["tests"] if folder not in TESTED_HERE else []))
        if not (folder / name).exists()
    ]
    assert missing == []


def test_all_distributions_have_one_version_and_one_licence() -> None:
    assert len({content["project"]["version"] for content in PROJECTS.values()}) == 1
    assert all(content["project"]["license-files"] == ["LICENSE"] for content in PROJECTS.values())
    assert {(folder / "LICENSE").read_text() for folder in MEMBERS} == {(ROOT / "LICENSE").read_text()}


def imported_by(member: Path) -> set[str]:
    """Top-level names that a member imports, but for its own and the standard library's."""
    folder = KITS.get(member, member)
    apart = set(KITS.values()) - {folder}
    sources = [path for path in SOURCES if path.is_relative_to(folder) and apart.isdisjoint(path.parents)]
    names = {name for path in sources for name in read(path).imports}
    return names - sys.stdlib_module_names - {path.name for path in member.iterdir()}


@pytest.fixture(scope="module")
def providers() -> Mapping[str, list[str]]:
    """The distributions that a top-level name comes from."""
    return {name: list(map(normal, found)) for name, found in packages_distributions().items()}


def test_kits_are_for_the_very_version_of_the_core_that_names_them() -> None:
    """They import more of it than others may."""
    version = PROJECTS["glottis"]["project"]["version"]
    extras = PROJECTS["glottis"]["project"]["optional-dependencies"]
    for folder in KITS:
        [need] = extras[folder.name]
        assert re.sub(r"\[\w+\]", "", need) == f"glottis-{folder.name}=={version}"
        assert f"glottis=={version}" in project_of(folder)["project"]["dependencies"]


def test_no_plugin_imports_a_kit() -> None:
    """Devices do without. For the core import-linter sees to it."""
    plugins = [path for path in SOURCES if not path.is_relative_to(ROOT / "core")]
    wanted = re.compile(r"^\s*(from|import) glottis\.(lab|testing)\b", re.MULTILINE)
    assert [path for path in plugins if wanted.search(path.read_text())] == []


@pytest.mark.slow
def test_core_and_kits_share_the_folder_of_the_core_between_them(tmp_path: Path) -> None:
    """No module is in two wheels, which pip would take from both with the first, and none is in no wheel."""
    build_wheels([ROOT / "core", *KITS], tmp_path)
    packed = [name for path in tmp_path.glob("*.whl") for name in zipfile.ZipFile(path).namelist()]
    modules = [name for name in packed if name.endswith(".py")]
    assert len(modules) == len(set(modules))
    assert set(modules) == {str(path.relative_to(ROOT / "core")) for path in (ROOT / "core" / "glottis").rglob("*.py")}
    assert len(list(tmp_path.glob("*.whl"))) == 1 + len(KITS)


@pytest.mark.slow
@pytest.mark.parametrize("member", MEMBERS, ids=lambda member: member.name)
def test_distribution_declares_what_it_imports(member: Path, providers: Mapping[str, list[str]]) -> None:
    project = project_of(member)["project"]
    extras = chain.from_iterable(project.get("optional-dependencies", {}).values())
    declared = names_of([*project["dependencies"], *extras])
    assert {name for name in imported_by(member) if not declared.intersection(providers.get(name, []))} == set()
