"""A Python on musl, to try wheels with: Debian has the C library and a compiler for it, and nothing that runs with it.

It is made of Debian's sources, in the root where the wheels are made, and takes ten minutes of two cores.
"""

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from tools import roots
from tools.libraries import MUSL_COMPILER, SOURCES, Target
from tools.roots import Root
from tools.wheels import MUSL_PACKAGES

PREFIX: Final = "/opt/musl-python"
BARE_PACKAGES: Final = ("musl", "ca-certificates")
OPENSSL: Final = {"x86_64": "linux-x86_64", "aarch64": "linux-aarch64"}
"""What its configuration calls the machines."""
BUILD: Final = """
cd /tmp/sources
export CFLAGS="-O2 -fPIC"
cp /usr/share/misc/config.* libffi
build() { make -s -j2 "$@" >&2; }
(cd zlib && ./configure --prefix=$PREFIX >&2 && build && make -s install >&2)
(cd libffi && ./configure -q --prefix=$PREFIX --disable-docs >&2 && build && make -s install >&2)
(cd openssl && ./Configure $KIND --prefix=$PREFIX --libdir=lib no-tests no-engine no-dso no-async no-afalgeng >&2 \
    && build build_libs && make -s install_dev >&2)
cd python3.11
./configure -q --prefix=$PREFIX --with-openssl=$PREFIX --disable-test-modules \
    LDFLAGS="-L$PREFIX/lib -Wl,-rpath,$PREFIX/lib" CPPFLAGS=-I$PREFIX/include >&2
build && make -s install >&2
$PREFIX/bin/python3 -c "import ctypes, ssl, zlib"
touch $PREFIX/made
"""


def put_into(bare: Root, target: Target) -> str:
    """Its path in a root that has musl."""
    source = roots.make(target.machine, "musl", MUSL_PACKAGES)
    if not (source.path / PREFIX[1:] / "made").exists():
        source.run("sh", "-euc", MUSL_COMPILER)
        with tempfile.TemporaryDirectory() as directory:
            mounts = roots.pip_mounts(Path(directory))
            source.run("sh", "-euc", SOURCES, mounts=mounts, WANTED="zlib libffi openssl python3.11")
        made_for = {"PREFIX": PREFIX, "CC": target.compiler, "KIND": OPENSSL[target.machine]}
        source.run("sh", "-euc", BUILD, **made_for)
    shutil.rmtree(bare.path / PREFIX[1:], ignore_errors=True)
    subprocess.run(["cp", "-a", source.path / PREFIX[1:], bare.path / PREFIX[1:]], check=True)
    return f"{PREFIX}/bin/python3"
