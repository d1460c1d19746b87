"""Installs the Debian package of ``dist/`` in a fresh Debian, calls the gateway there, and removes and purges it:
``python -m tools.try_deb x86_64``. Nothing of it may be left then.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from tools import roots
from tools.roots import DEBIAN, Root
from tools.served import call, serve
from tools.wheels import DIST

PACKAGES: Final = ("python3", "ca-certificates", "systemd")
WATCHED: Final = ("etc", "lib", "opt", "usr", "var/lib")
NOT_ITS_OWN: Final = ("var/lib/apt", "var/lib/dpkg", "var/lib/systemd", "var/lib/python", "usr/share/info")
"""What apt and dpkg keep of themselves."""
CONFIG: Final = "etc/glottis/glottis.toml"
UNITS: Final = ("glottis.service", "glottis-device.service")
UNIT_LINK, DEVICE_LINK = (f"etc/systemd/system/multi-user.target.wants/{unit}" for unit in UNITS)


def main(machines: list[str]) -> None:
    """Print a row for each machine, or say what is wrong."""
    for machine in machines:
        roots.check_emulation(machine)
        with roots.copy_of(roots.make(machine, "fresh", PACKAGES)) as root:
            print(json.dumps({"machine": machine, **installed_and_removed(root)}), flush=True)


def installed_and_removed(root: Root) -> dict[str, object]:
    """What the gateway takes in between."""
    [package] = DIST.glob(f"glottis_*_{DEBIAN[root.machine]}.deb")
    before = files(root)
    subprocess.run(["lintian", "--fail-on=error,warning", package], check=True)
    dpkg(root, package, "--install", f"/dist/{package.name}")
    expect(not (root.path / DEVICE_LINK).is_symlink(), "A device is begun without a file of its own.")
    expect((root.path / UNIT_LINK).is_symlink(), "The service is not begun at the next start of the machine.")
    root.run("systemd-analyze", "verify", "--man=no", *UNITS)
    size = sum((root.path / path).lstat().st_size for path in files(root) if path.startswith("opt/glottis/"))
    with serve(root, f"/{CONFIG}", "/usr/bin/glottis", user=65534) as served:
        called = call(served)
    written = {path for path in files(root) - before if path.startswith("opt/")} - listed(root)
    expect(not written, f"The gateway has written {sorted(written)}.")
    with (root.path / CONFIG).open("a") as config:
        config.write("\n# changed\n")
    root.run("systemctl", "enable", UNITS[1])
    dpkg(root, package, "--install", f"/dist/{package.name}")
    expect((root.path / DEVICE_LINK).is_symlink(), "An upgrade has taken a device from those that are begun.")
    expect("# changed" in (root.path / CONFIG).read_text(), "An upgrade has overwritten the configuration.")
    dpkg(root, package, "--remove", "glottis")
    expect((root.path / CONFIG).exists(), "The configuration went before it was purged.")
    expect(not (root.path / "opt/glottis").exists(), "The environment is left.")
    dpkg(root, package, "--purge", "glottis")
    expect(files(root) == before, f"What is left or gone: {sorted(files(root) ^ before)}.")
    return {"package_mb": round(package.stat().st_size / 1e6, 1), "installed_mb": round(size / 1e6, 1), **called}


def dpkg(root: Root, package: Path, *arguments: str) -> None:
    """Its messages are seen when it fails."""
    root.run("dpkg", *arguments, mounts=[f"{package.parent}:/dist"], DEBIAN_FRONTEND="noninteractive")


def files(root: Root) -> set[str]:
    """What may be left by a package, by names from the root's."""
    found = set()
    for place in WATCHED:
        for folder, folders, names in os.walk(root.path / place):
            for name in [*folders, *names]:
                found.add(str((Path(folder) / name).relative_to(root.path)))
    return {path for path in found if not path.startswith(NOT_ITS_OWN)}


def listed(root: Root) -> set[str]:
    """What dpkg knows of."""
    return {line.lstrip("/") for line in root.run("dpkg", "--listfiles", "glottis").splitlines()}


def expect(condition: object, otherwise: str) -> None:
    """Or it ends here."""
    if not condition:
        sys.exit(otherwise)


if __name__ == "__main__":
    if os.getuid():
        sys.exit("Run it as root, for it makes roots of other machines.")
    main(sys.argv[1:])
