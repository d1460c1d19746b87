"""Builds a libopus with deep redundancy and networks that conceal, which Debian's has not: ``python tools/libopus.py``.

It is left in ``build/libopus``, and the file's name is printed: glottis uses it where ``OPUS_LIBRARY`` names it.
"""

import hashlib
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Final

VERSION: Final = "1.5.2"
SHA256: Final = "65c1d2f78b9f2fb20082c38cbe47c951ad5839345876e46941612ee87f9a7ce1"
WORK: Final = Path(__file__).parents[1] / "build" / "libopus"
LIBRARY: Final = WORK / "lib" / "libopus.so.0"


def main() -> None:
    """Print where it is, or say what is wrong."""
    if not LIBRARY.exists():
        build(fetch())
    print(LIBRARY)


def fetch() -> Path:
    """The sources, from where this machine has its packages from."""
    asked = subprocess.run(
        ["apt-get", "download", "--print-uris", "libopus0"], check=True, capture_output=True, text=True
    )
    folder = asked.stdout.split("'")[1].rpartition("/")[0]
    WORK.mkdir(parents=True, exist_ok=True)
    archive = WORK / f"opus_{VERSION}.orig.tar.gz"
    with urllib.request.urlopen(f"{folder}/{archive.name}") as answer:
        archive.write_bytes(answer.read())
    if hashlib.sha256(archive.read_bytes()).hexdigest() != SHA256:
        sys.exit(f"{archive} is not what was expected: delete it, and try again")
    return archive


def build(archive: Path) -> None:
    """In a minute."""
    subprocess.run(["tar", "xzf", archive], cwd=WORK, check=True)
    source = WORK / f"opus-{VERSION}"
    options = ("--enable-dred", "--enable-deep-plc", "--disable-static", "--disable-doc", "--disable-extra-programs")
    for command in (
        ["./configure", "-q", f"--prefix={WORK}", *options],
        ["make", "-s", "-j2"],
        ["make", "-s", "install"],
    ):
        subprocess.run(command, cwd=source, check=True, stdout=sys.stderr)


if __name__ == "__main__":
    main()
