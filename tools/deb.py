"""Builds the Debian package from the wheels in ``dist/``: ``python -m tools.deb x86_64``.

It carries its own environment, in ``/opt/glottis``, for the Python of the Debian that it is made in. Byte code is in
it, so that nothing is written later; the libraries in it are stripped.
"""

import gzip
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Final

from tools import roots
from tools.roots import DEBIAN, REPOSITORY, Root
from tools.wheels import BUILD_PACKAGES, DIST

FILES: Final = REPOSITORY / "tools" / "debian"
DEPLOY: Final = REPOSITORY / "docs" / "deploy"
DISTRIBUTIONS: Final = (
    *("glottis", "glottis-opus", "glottis-spandsp", "glottis-dvi4"),
    *("glottis-auth-anonymous", "glottis-auth-keys", "glottis-echo", "glottis-ice-static", "glottis-web"),
)
ELSEWHERE: Final = {"glottis.1", "glottis.toml", "lintian-overrides"}
"""Files that are no part of the package's control."""
LIBC: Final = "2.34"
"""Which the wheels need."""
ENVIRONMENT: Final = "opt/glottis"


def main(machines: list[str]) -> None:
    """Leave a package for each in ``dist/``, or say what is wrong."""
    for machine in machines:
        roots.check_emulation(machine)
        bare = roots.make(machine, "bare", roots.BARE)
        with roots.copy_of(bare) as root, tempfile.TemporaryDirectory() as directory:
            mounts = [f"{DIST}:/dist", *roots.pip_mounts(Path(directory))]
            install(root, mounts)
            strip(root)
            package = pack(root, Path(directory) / "glottis")
            print(f"{package.stat().st_size / 1e6:.1f} MB  {package.name}")


def install(root: Root, mounts: list[str]) -> None:
    """The environment, with byte code that is right whatever the dates of files are."""
    python = f"/{ENVIRONMENT}/bin/python"
    pip = (python, "-m", "pip", "--disable-pip-version-check")
    root.run("python3", "-m", "venv", f"/{ENVIRONMENT}", mounts=mounts)
    options = ("--quiet", "--no-compile", "--only-binary=:all:", "--find-links=/dist")
    root.run(*pip, "install", *options, *DISTRIBUTIONS, mounts=mounts)
    root.run(*pip, "check")
    root.run(*pip, "uninstall", "--quiet", "--yes", "pip", "setuptools")
    folder = root.path / ENVIRONMENT
    of_developers = [
        path for name in ("_tests", "_tools") for path in folder.glob(f"lib/python3*/site-packages/trio/{name}")
    ]
    for path in [*(folder / "bin").glob("*ctivate*"), *folder.rglob("__pycache__"), *of_developers]:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    root.run(python, "-m", "compileall", "-q", "--invalidation-mode=unchecked-hash", f"/{ENVIRONMENT}/lib")


def strip(root: Root) -> None:
    """What debuggers alone read is a tenth of all. The program for it is where wheels are made."""
    tools = roots.make(root.machine, "build", BUILD_PACKAGES)
    libraries = [path.relative_to(root.path) for path in (root.path / ENVIRONMENT).rglob("*.so*")]
    tools.run("strip", "--strip-unneeded", *(f"/mnt/{path}" for path in libraries), mounts=[f"{root.path}:/mnt"])


def pack(root: Root, stage: Path) -> Path:
    """The package of the environment in the root."""
    version = tomllib.loads((REPOSITORY / "core" / "pyproject.toml").read_text())["project"]["version"]
    shutil.copytree(root.path / ENVIRONMENT, stage / ENVIRONMENT, symlinks=True)
    put(stage / "etc/glottis/glottis.toml", (FILES / "glottis.toml").read_text())
    for unit in ("glottis.service", "glottis-device.service"):
        put(stage / "lib/systemd/system" / unit, unit_of_package((DEPLOY / unit).read_text()))
    (stage / "usr/bin").mkdir(parents=True)
    (stage / "usr/bin/glottis").symlink_to(f"/{ENVIRONMENT}/bin/glottis")
    documents = stage / "usr/share/doc/glottis"
    put(documents / "copyright", licences(stage / ENVIRONMENT))
    put_packed(documents / "changelog.Debian.gz", changelog(version))
    manual = filled((FILES / "glottis.1").read_text(), {"VERSION": version})
    put_packed(stage / "usr/share/man/man1/glottis.1.gz", manual)
    put(stage / "usr/share/lintian/overrides/glottis", (FILES / "lintian-overrides").read_text())
    size = sum(path.lstat().st_size for path in stage.rglob("*")) // 1024
    values = {"VERSION": version, "ARCHITECTURE": DEBIAN[root.machine], "SIZE": str(size), "LIBC": LIBC}
    for path in FILES.iterdir():
        if path.name not in ELSEWHERE:
            put(stage / "DEBIAN" / path.name, filled(path.read_text(), values))
            (stage / "DEBIAN" / path.name).chmod(0o644 if path.name in {"control", "conffiles"} else 0o755)
    package = DIST / f"glottis_{version}-1_{DEBIAN[root.machine]}.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "-Zxz", "--build", stage, package], check=True)
    return package


def put(path: Path, text: str) -> None:
    """A file that all may read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def put_packed(path: Path, text: str) -> None:
    """The same by gzip, alike each time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode(), mtime=0))


def filled(text: str, values: dict[str, str]) -> str:
    """With each name between two ``@`` replaced."""
    return re.sub(r"@([A-Z]+)@", lambda found: values[found[1]], text)


def unit_of_package(text: str) -> str:
    """A unit of ``docs/deploy``: a key file that is not there would keep the service from starting."""
    without_place = re.sub(r"^# /etc/systemd/system/\S+: ", "# ", text)
    return re.sub(r"^(LoadCredential=)", r"# \1", without_place, flags=re.MULTILINE)


def changelog(version: str) -> str:
    """In Debian's form; what has changed is in the project's own."""
    return (
        f"glottis ({version}-1) unstable; urgency=medium\n\n  * See CHANGELOG.md of the project.\n\n"
        " -- The glottis project <glottis@localhost>  Thu, 01 Jan 2026 00:00:00 +0000\n"
    )


APACHE: Final = re.compile(
    r"\s*Apache License\s+Version 2\.0, January 2004.*?END OF TERMS AND CONDITIONS\s*?\n", re.DOTALL
)
NAMED: Final = "\n\nApache License, Version 2.0: /usr/share/common-licenses/Apache-2.0\n"
"""Every Debian has its text (Debian Policy §12.5)."""


def licences(environment: Path) -> str:
    """Of all distributions in it, one after the other."""
    parts = ["The package consists of these Python distributions, each under its own licence.\n"]
    for info in sorted(environment.rglob("*.dist-info")):
        parts.append(f"\n{'=' * 20} {info.name.removesuffix('.dist-info')} {'=' * 20}\n")
        texts = [path for path in sorted(info.rglob("*")) if re.match(r"(?i)licen[cs]e|copying|lib\w+\.txt", path.name)]
        parts += [APACHE.sub(NAMED, path.read_text(errors="replace")) for path in texts if path.is_file()]
    return "".join(parts)


if __name__ == "__main__":
    main(sys.argv[1:])
