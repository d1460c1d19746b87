"""``@glottis/client`` and the pages: browsers load what their sources say, which are right by their own tests."""

import subprocess
from pathlib import Path

import glottis_operators
import glottis_web
import pytest

SOURCES = Path(__file__).parents[2] / "plugins" / "web" / "javascript"
STATIC = Path(glottis_web.__file__).parent / "static"
OPERATORS = Path(glottis_operators.__file__).parent / "static"


def run(*command: str | Path) -> None:
    done = subprocess.run(command, cwd=SOURCES, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("script", "folder"),
    [("build.mjs", STATIC / "client"), ("build_page.mjs", STATIC / "page"), ("build_operators.mjs", OPERATORS)],
    ids=["client", "page", "operators"],
)
def test_what_browsers_load_is_compiled_from_the_sources(script: str, folder: Path, tmp_path: Path) -> None:
    run("node", script, tmp_path)
    compiled = {file.name: file.read_text() for file in tmp_path.iterdir()}
    assert compiled
    assert compiled == {name: (folder / name).read_text() for name in compiled}


@pytest.mark.parametrize("project", [".", "page", "../../operators/javascript"])
def test_types_are_right(project: str) -> None:
    run("node_modules/.bin/tsc", "--noEmit", "--project", project)


def test_calls_and_the_hook_of_react_do_what_their_tests_say() -> None:
    run("node", "build.mjs", "build", "--package")
    run("npm", "test")
