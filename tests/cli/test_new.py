"""``glottis new``: what it creates works as it is."""

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import pytest
from glottis.cli import main
from glottis.cli.packages import KINDS, LICENSES
from glottis.config import load_config, resolve
from glottis.plugins import load_plugins
from support.created import NAMES, create_all
from support.imports import imports_of

TOOLS = Path(sys.executable).parent


def create(*arguments: str, into: Path) -> Path:
    assert main(["new", *arguments, "--into", str(into)]) == 0
    (folder,) = into.iterdir()
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_a_package_has_all_that_one_needs(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = create(kind, "my-own", "--author", 'Ann "A" Other', into=tmp_path)
    assert folder.name == "glottis-my-own"
    files = {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}
    assert files.keys() == {
        ".github/workflows/test.yml",
        ".gitignore",
        "LICENSE",
        "README.md",
        "glottis.toml",
        "glottis_my_own/__init__.py",
        "glottis_my_own/py.typed",
        "pyproject.toml",
        "tests/test_my_own.py",
    }
    project = tomllib.loads(files["pyproject.toml"])["project"]
    assert project["entry-points"] == {"glottis": {"my-own": "glottis_my_own"}}
    assert project["authors"] == [{"name": 'Ann "A" Other'}]
    assert all("<" in need for need in project["dependencies"])
    assert tomllib.loads(files["glottis.toml"])
    assert 'Ann "A" Other' in files["LICENSE"]
    assert "${{ matrix.python }}" in files[".github/workflows/test.yml"]
    assert [path for path, text in files.items() if re.search(r"\$(?!\{\{)", text)] == []
    assert f"cd {folder}" in capsys.readouterr().out


@pytest.mark.parametrize("licence", LICENSES)
def test_the_licence_can_be_chosen(licence: str, tmp_path: Path) -> None:
    folder = create("agent", "budgie", "--license", licence, into=tmp_path)
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    assert project.get("license", "none") == licence
    assert project["license-files"] == (["LICENSE"] if (folder / "LICENSE").exists() else [])


@pytest.mark.parametrize("name", ["", "My-Agent", "my_agent", "-a", "a-", "a--b", "1a", "a/b", "..", "ä", "a" * 41])
def test_a_name_that_cannot_be_is_refused_with_what_can(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["new", "agent", "--into", str(tmp_path), "--", name]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"glottis: {name!r}: expected lower-case letters and digits")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "name", "said"),
    [
        ("agent", "echo", r"echo: the agent echo is there already: plugin echo \(glottis-echo "),
        ("codec", "pcmu", r"pcmu: the codec PCMU is there already: plugin spandsp \("),
        ("auth", "api-keys", r"api-keys: the auth scheme api-keys is there already: plugin auth-keys \("),
        ("extension", "recorder", r"recorder: the extension recorder is there already: plugin recorder \("),
        ("component", "echo", "echo: glottis-echo is installed already"),
    ],
)
def test_what_is_installed_keeps_its_name(
    kind: str, name: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["new", kind, name, "--into", str(tmp_path)]) == 2
    assert re.match(f"glottis: {said}", capsys.readouterr().err)


def test_a_folder_that_is_there_stays_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "glottis-budgie").mkdir()
    assert main(["new", "agent", "budgie", "--into", str(tmp_path)]) == 2
    assert "glottis-budgie: it exists already; choose another name" in capsys.readouterr().err
    assert list((tmp_path / "glottis-budgie").iterdir()) == []


def test_where_no_folder_can_be_made_there_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", "agent", "budgie", "--into", str(tmp_path / "nowhere")]) == 2
    assert "nowhere/glottis-budgie: cannot be made: No such file or directory" in capsys.readouterr().err


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_installed_to_test_it_is_all_that_its_configuration_needs(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside glottis itself: else its workflow would fail, and so would the command that tries it."""
    folder = create(kind, NAMES[kind], into=tmp_path)
    project = tomllib.loads((folder / "pyproject.toml").read_text())
    needed = {re.split("[<>=]", need)[0] for need in project["dependency-groups"]["test"]}
    installed = [one for one in entry_points(group="glottis") if one.dist is not None and one.dist.name in needed]
    (name,) = project["project"]["entry-points"]["glottis"]
    with imports_of(folder):
        monkeypatch.syspath_prepend(folder)
        own = EntryPoint(name, f"glottis_{name.replace('-', '_')}", "glottis")
        registry = load_plugins(installed=[*installed, own])
    config = load_config(folder / "glottis.toml", KINDS[kind].environment)
    assert resolve(config, registry).campaigns
    assert registry.broken == ()


def run(command: Sequence[str | Path], folder: Path, **variables: str) -> str:
    result = subprocess.run(
        command, cwd=folder, env=os.environ | variables, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.mark.slow
def test_what_is_created_passes_its_own_tests_and_checks(tmp_path: Path) -> None:
    """Of all together: each of them starts the same tools. Types are checked with this repository's."""
    folders = create_all(tmp_path)
    for folder in folders:
        run([TOOLS / "ruff", "format", "--check", "."], folder)
        run([TOOLS / "ruff", "check", "--no-cache", "."], folder)
    tests = [str(folder / "tests") for folder in folders]
    search = ":".join(map(str, folders))
    config = ["-c", str(folders[0] / "pyproject.toml"), "-p", "no:cacheprovider"]
    told = run([sys.executable, "-m", "pytest", "-q", "-rs", *config, *tests], tmp_path, PYTHONPATH=search)
    assert "SKIPPED" not in told
