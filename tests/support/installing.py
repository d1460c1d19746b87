"""Wheels of this repository, and environments of their own to install them in, without an index."""

import re
import shutil
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

ROOT = Path(__file__).parents[2]
BUILD = """
import os, sys
from setuptools import build_meta

for folder in sys.argv[2:]:
    if not (child := os.fork()):
        os.chdir(folder)
        build_meta.build_wheel(sys.argv[1])
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0, folder
"""
"""What pip would have done by two processes for each folder, which import setuptools each (PEP 517)."""
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_LEFTOVERS = shutil.ignore_patterns("*.egg-info", "build", "__pycache__", "tests", "node_modules")


def build_wheels(folders: Iterable[Path], wheels: Path) -> None:
    """Of copies: setuptools leaves its own files beside what it builds."""
    copies = wheels / "sources"
    for folder in folders:
        shutil.copytree(folder, copies / folder.name, ignore=_LEFTOVERS)
    _run([sys.executable, "-c", BUILD, wheels, *sorted(copies.iterdir())])


def pack_wheel(unpacked: Path, wheels: Path) -> Path:
    """The wheel of what lies in a folder as it would be installed."""
    (info,) = unpacked.glob("*.dist-info")
    path = wheels / f"{info.name.removesuffix('.dist-info')}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(unpacked.rglob("*")):
            if file.is_file() and file.suffix != ".pyc":
                archive.write(file, file.relative_to(unpacked).as_posix())
    return path


def create_environment(folder: Path, needs: Iterable[str]) -> Path:
    """A new one, with copies of what is installed here of these distributions and all that they need. Its programs."""
    venv.create(folder)
    (site,) = folder.glob("lib/*/site-packages")
    for each in _closure(needs):
        for file in each.files or ():
            source = Path(str(file.locate()))
            # What is compiled comes along, which goes by the file's time.
            if ".." not in file.parts and source.exists():
                target = site / file
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target)
    return folder / "bin"


def install(environment: Path, wheels: Iterable[Path]) -> None:
    """With all that pip checks. ``environment`` are its programs."""
    pip("--python", environment / "python", "install", *wheels)
    pip("--python", environment / "python", "check")


def pip(*arguments: str | Path) -> None:
    quiet = {"PIP_NO_INDEX": "1", "PIP_QUIET": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    _run([sys.executable, "-m", "pip", *arguments], **quiet)


def _run(command: Sequence[str | Path], **env: str) -> None:
    result = subprocess.run(command, env={"PATH": "/usr/bin:/bin", **env}, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def _closure(needs: Iterable[str]) -> list[Distribution]:
    """What is not installed is for another Python or system."""
    found: dict[str, Distribution] = {}
    waiting = list(needs)
    while waiting:
        name = waiting.pop()
        with suppress(PackageNotFoundError):
            if name not in found:
                found[name] = distribution(name)
                waiting += [_NAME.match(need)[0] for need in found[name].requires or () if "extra ==" not in need]  # type: ignore[index]
    return list(found.values())
