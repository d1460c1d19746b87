"""Installs the gateway from source where there are no wheels of it, as ``docs/device.md`` says, and calls it there:
``python -m tools.try_source armv7l``. Under emulation that takes half an hour.
"""

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

from tools import roots
from tools.roots import REPOSITORY, Root
from tools.served import CONFIG, call, serve, size_of

PACKAGES: Final = (
    *("python3", "python3-dev", "python3-venv", "ca-certificates", "gcc", "libc6-dev"),
    *("libffi-dev", "libsrtp2-dev", "libssl-dev"),  # for cffi and pylibsrtp
    *("libopus-dev", "libspandsp-dev", "libspeexdsp-dev"),
)
FOLDERS: Final = (
    *("core", "codecs/opus", "codecs/spandsp", "codecs/dvi4"),
    *("plugins/echo", "plugins/auth-anonymous"),
)


def main(machines: list[str]) -> None:
    """Print a row for each machine, or say what is wrong."""
    for machine in machines:
        roots.check_emulation(machine)
        with roots.copy_of(roots.make(machine, "source", PACKAGES)) as root, tempfile.TemporaryDirectory() as directory:
            size = install(root, roots.pip_mounts(Path(directory)))
            (root.path / "etc/glottis.toml").write_text(CONFIG)
            with serve(root) as served:
                called = call(served)
            print(json.dumps({"machine": machine, "installed_mb": round(size / 1e6, 1), **called}), flush=True)


def install(root: Root, mounts: list[str]) -> int:
    """Bytes of all of it, without pip and byte code."""
    python = "/opt/glottis/bin/python"
    root.run("python3", "-m", "venv", "/opt/glottis")
    packages = root.path / "opt/glottis/lib/python3.11/site-packages"
    before = size_of(packages)
    for folder in FOLDERS:
        shutil.copytree(REPOSITORY / folder, root.path / "src" / folder, ignore=shutil.ignore_patterns("build", "*.so"))
    pip = (python, "-m", "pip", "install", "--quiet", "--no-compile")
    root.run(*pip, "--prefer-binary", *(f"/src/{folder}" for folder in FOLDERS), mounts=mounts)
    size = size_of(packages) - before
    root.run(python, "-m", "pip", "check", mounts=mounts)
    root.run(python, "-m", "compileall", "-q", "/opt/glottis/lib")
    return size


if __name__ == "__main__":
    if os.getuid():
        sys.exit("Run it as root, for it makes roots of other machines.")
    main(sys.argv[1:])
