"""The libraries of the codecs as archives that fit into shared objects, from Debian's sources, in a root.

Debian's own archives are not for shared objects: those they can be put into crash. And what is linked in is what is
used: libspandsp.so needs a dozen libraries for faxes, and a copy of libopus.so weighs twice as much.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools import roots
from tools.roots import Root

SOURCES: Final = """
rm -rf /tmp/sources && mkdir -p /tmp/sources && cd /tmp/sources
sed -n 's/^deb /deb-src /p' /etc/apt/sources.list > /etc/apt/sources.list.d/sources.list
apt-get -qq update && apt-get -qq source --tar-only $WANTED >&2
for archive in *.orig.tar.*; do
    folder=${archive%%_*}
    mkdir $folder && tar xf $archive -C $folder --strip-components=1
done
"""
"""Unpacked in folders of their names."""
BUILD: Final = """
mkdir -p $PREFIX/lib && cd /tmp/sources
for folder in opus speexdsp spandsp/config; do cp /usr/share/misc/config.* $folder; done
export CFLAGS="-O2 -fPIC -ffunction-sections -fdata-sections"
build() {
    (cd $1 && shift && ./configure -q --prefix=$PREFIX --disable-shared --with-pic "$@" >&2 && make -s -j2 >&2 \
        && make -s install >&2)
}
build opus --disable-extra-programs --disable-doc
build speexdsp --disable-examples
ar cr $PREFIX/lib/libtiff.a  # faxes are not linked: an empty one is enough to be configured
build spandsp LDFLAGS=-L$PREFIX/lib ac_cv_lib_tiff_TIFFOpen=yes
"""
MUSL_COMPILER: Final = """
multiarch=$(dpkg-architecture -qDEB_HOST_MULTIARCH)
sed "s/MULTIARCH/$multiarch/" > /usr/local/bin/musl-cc <<'END'
#!/bin/sh
for word; do
    shift
    [ "$word" = -L/usr/lib/MULTIARCH ] || set -- "$@" "$word"
done
exec musl-gcc "$@" -idirafter /usr/include -idirafter /usr/include/MULTIARCH
END
chmod +x /usr/local/bin/musl-cc
"""
"""Debian's knows the headers of musl alone: those of the kernel, Python and libtiff come after them. And the
place of libraries that setuptools names has those for glibc."""


@dataclass(frozen=True, slots=True)
class Target:
    """Machines of one kind with one C library, named ``aarch64`` or, with musl, ``aarch64-musl``."""

    name: str

    @property
    def machine(self) -> str:
        """As Python names it."""
        return self.name.removesuffix("-musl")

    @property
    def musl(self) -> bool:
        """Rather than glibc."""
        return self.name.endswith("-musl")

    @property
    def folder(self) -> str:
        """Where the archives are in a root."""
        return "/opt/static-musl" if self.musl else "/opt/static"

    @property
    def compiler(self) -> str:
        """Which makes programs for them."""
        return "/usr/local/bin/musl-cc" if self.musl else "gcc"


def make(root: Root, target: Target) -> None:
    """What is not there yet."""
    if (root.path / target.folder[1:] / "lib/libspandsp.a").exists():
        return
    if target.musl:
        root.run("sh", "-euc", MUSL_COMPILER)
    unpack_sources(root, "opus speexdsp spandsp")
    mounts = roots.compiler_mounts(target.machine)
    root.run("sh", "-euc", BUILD, mounts=mounts, PREFIX=target.folder, CC=target.compiler)


def unpack_sources(root: Root, wanted: str) -> None:
    """Of Debian's packages, in ``/tmp/sources``."""
    with tempfile.TemporaryDirectory() as directory:
        root.run("sh", "-euc", SOURCES, mounts=roots.pip_mounts(Path(directory)), WANTED=wanted)
