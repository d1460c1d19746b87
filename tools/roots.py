"""Debian of other machines in folders: what is built and tried in them finds nothing of this machine's.

They need root. Programs of other machines run by qemu's user emulation, which the kernel calls by itself (binfmt_misc).
"""

import configparser
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

REPOSITORY: Final = Path(__file__).parents[1]
ROOTS: Final = REPOSITORY / "build" / "roots"
DEBIAN: Final = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "armhf"}
"""What Debian calls the machines that Python's wheels name."""
SUITE: Final = "bookworm"
RELEASE: Final = f"deb http://deb.debian.org/debian {SUITE} main"
"""What it was when it came out, with the corrections since."""
GCC: Final = "12"
"""That of ``SUITE``."""
BARE: Final = ("python3", "python3-venv", "ca-certificates")
"""Where wheels are installed: there is no compiler."""


@dataclass(frozen=True, slots=True)
class Root:
    """One folder with a Debian in it."""

    path: Path
    machine: str

    def run(self, *command: str | Path, mounts: Sequence[str] = (), **environment: str) -> str:
        """What the command writes; its failure is ours. A mount reads ``here:there``."""
        done = subprocess.run(self.command(*command, mounts=mounts, **environment), stdout=subprocess.PIPE, text=True)
        if done.returncode:
            sys.exit(f"{done.stdout}\n{' '.join(map(str, command))} ended with {done.returncode} on {self.machine}.")
        return done.stdout.strip()

    def command(self, *command: str | Path, mounts: Sequence[str] = (), **environment: str) -> list[str]:
        """How to run one: what is mounted for it is seen by nobody else, and gone with it."""
        variables = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8"} | environment
        steps = [f"mount -t proc proc {shlex.quote(str(self.path / 'proc'))}"]
        for mount in mounts:
            here, _, there = mount.partition(":")
            target = self.path / there.lstrip("/")
            kind = "touch" if Path(here).is_file() else "mkdir -p"
            steps.append(f"mkdir -p {shlex.quote(str(target.parent))}")
            steps.append(f"{kind} {shlex.quote(str(target))}")
            steps.append(f"mount --bind {shlex.quote(here)} {shlex.quote(str(target))}")
        words = [f"{name}={value}" for name, value in variables.items()]
        inside = shlex.join(["env", "-i", *words, *map(str, command)])
        steps.append(f"exec chroot {shlex.quote(str(self.path))} {inside}")
        return ["unshare", "--mount", "--propagation=private", "sh", "-euc", "\n".join(steps)]


def make(machine: str, name: str, packages: Sequence[str]) -> Root:
    """A root that is kept, made anew when it should have other packages."""
    root = Root(ROOTS / f"{machine}-{name}", machine)
    wanted = " ".join(packages)
    made = root.path.with_suffix(".packages")
    if made.exists() and made.read_text() == wanted:
        return root
    remove(root)
    made.unlink(missing_ok=True)
    ROOTS.mkdir(parents=True, exist_ok=True)
    print(f"Debian for {machine}, with {wanted or 'nothing more'}", flush=True)
    options = [f"--architectures={DEBIAN[machine]}", "--variant=minbase", "--quiet"]
    include = [f"--include={','.join(packages)}"] if packages else []
    command: list[str | Path] = ["mmdebstrap", *options, *include, SUITE, root.path]
    if subprocess.run(command, check=False).returncode:
        print("Again without security updates: a mirror has lists of them that contradict each other.", flush=True)
        remove(root)
        subprocess.run([*command, RELEASE], check=True)
    made.write_text(wanted)
    return root


@contextmanager
def copy_of(root: Root) -> Iterator[Root]:
    """One that may be spoilt."""
    with tempfile.TemporaryDirectory(dir=ROOTS, prefix=f"{root.path.name}-") as directory:
        path = Path(directory) / "root"
        subprocess.run(["cp", "-a", "--reflink=auto", root.path, path], check=True)
        yield Root(path, root.machine)


def remove(root: Root) -> None:
    """With all that was left in it."""
    subprocess.run(["rm", "-rf", "--one-file-system", root.path], check=True)


def check_emulation(machine: str) -> None:
    """Programs of that machine must run here."""
    if machine == os.uname().machine or Path("/proc/sys/fs/binfmt_misc", f"qemu-{EMULATORS[machine]}").exists():
        return
    if not Path("/proc/sys/fs/binfmt_misc/register").exists():
        subprocess.run(["mount", "-t", "binfmt_misc", "binfmt_misc", "/proc/sys/fs/binfmt_misc"], check=True)
    subprocess.run(["update-binfmts", "--enable"], check=True)


EMULATORS: Final = {"aarch64": "aarch64", "armv7l": "arm"}


def compiler_mounts(machine: str) -> list[str]:
    """What has a root of another machine compile by our processor, where Debian has its cross compiler installed.

    Of GCC that is the compiler proper, which is nearly all of the work; what it writes is the same.
    """
    triplet = f"{machine}-linux-gnu"
    installed = Path("/usr/lib/gcc-cross", triplet, GCC)
    if machine == os.uname().machine or not (installed / "cc1").exists():
        return []
    own = [f"{one}:{one}" for one in ("/lib64", f"/usr/lib/{os.uname().machine}-linux-gnu", "/usr/lib/gcc-cross")]
    return [*own, f"{installed / 'cc1'}:/usr/lib/gcc/{triplet}/{GCC}/cc1"]


def pip_mounts(directory: Path) -> list[str]:
    """A file with pip's settings here, and what they name of this machine, such as a mirror: ``here:there``."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], check=True, stdout=subprocess.PIPE, text=True
    )
    settings = configparser.ConfigParser(interpolation=None)
    settings["global"] = {}
    for line in listed.stdout.splitlines():
        name, _, value = line.partition("=")
        settings["global"].setdefault(name.rpartition(".")[2], value.strip("'").replace("\\n", "\n"))
    mounts = []
    if certificates := settings["global"].get("cert"):  # elsewhere: Debian's package replaces the file of its own
        settings["global"]["cert"] = "/etc/pip.pem"
        mounts.append(f"{certificates}:/etc/pip.pem")
    path = directory / "pip.conf"
    with path.open("w") as file:
        settings.write(file)
    words = " ".join(value for name, value in settings["global"].items() if name != "cert").split()
    named = {Path(word) for word in words if word.startswith("/")}
    named |= {Path(urlsplit(word).path).parent for word in words if word.startswith("file:")}  # its files lie beside it
    return [f"{path}:/etc/pip.conf", *mounts, *sorted(f"{one}:{one}" for one in named if one.exists())]
