"""Installs the wheels of ``dist/`` in a Debian without a compiler, and calls the gateway in it from here:
``python tools/try_wheels.py x86_64 aarch64``. What it prints is the table of ``docs/device.md``.
"""

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Final

from tools import roots
from tools.browser_call import call_by_browser
from tools.roots import Root
from tools.served import CONFIG, call, serve, size_of
from tools.wheels import DIST

LEAN: Final = ("glottis", "glottis-opus")
MORE: Final = ("glottis-spandsp", "glottis-dvi4", "glottis-echo", "glottis-auth-anonymous")


def main(machines: list[str]) -> None:
    """Print a row for each machine, or say what is wrong."""
    for machine in machines:
        roots.check_emulation(machine)
        with roots.copy_of(roots.make(machine, "bare", roots.BARE)) as root, tempfile.TemporaryDirectory() as directory:
            mounts = [f"{DIST}:/dist", *roots.pip_mounts(Path(directory))]
            size = install(root, mounts)
            (root.path / "etc/glottis.toml").write_text(CONFIG)
            with serve(root) as served:
                called = call(served) | call_by_browser(served.url)
            print(json.dumps({"machine": machine, "installed_mb": round(size / 1e6, 1), **called}), flush=True)


def install(root: Root, mounts: list[str]) -> int:
    """Bytes that the least takes, without pip; then what a call needs is there, too."""
    pip = ("/opt/glottis/bin/python", "-m", "pip", "install", "--quiet", "--only-binary=:all:", "--find-links=/dist")
    root.run("python3", "-m", "venv", "/opt/glottis", mounts=mounts)
    packages = root.path / "opt/glottis/lib/python3.11/site-packages"
    before = size_of(packages)
    root.run(*pip, "--no-compile", *LEAN, mounts=mounts)
    size = size_of(packages) - before
    root.run(*pip, "--force-reinstall", "--no-deps", *LEAN, *MORE, mounts=mounts)  # compiles what is Python
    root.run("/opt/glottis/bin/python", "-m", "pip", "check", mounts=mounts)
    root.run("/opt/glottis/bin/python", "-m", "compileall", "-q", "/opt/glottis/lib")
    return size


if __name__ == "__main__":
    if os.getuid():
        sys.exit("Run it as root, for it makes roots of other machines.")
    main(sys.argv[1:])
