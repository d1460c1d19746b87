"""Builds the image of ``docs/deploy`` by buildah, and calls a gateway in it: ``python -m tools.try_container``.

It needs root. Without the base image, for no registry can be reached, mmdebstrap makes one of Debian's packages. In the
build pip has the settings that it has here, and the directories that they name, such as a mirror. Nothing of either is
in the image.
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tools.roots import pip_mounts

ROOT: Final = Path(__file__).parents[1]
WORK: Final = ROOT / "build" / "container"
RECIPE: Final = ROOT / "docs" / "deploy" / "Containerfile"
IMAGE: Final = "localhost/glottis"
OWN_BASE: Final = "localhost/debian:bookworm"
KEY: Final = "a key that only this trial knows"
STORAGE: Final = ["--root", str(WORK / "storage"), "--runroot", str(WORK / "run"), "--storage-driver", "vfs"]
"""Of this trial alone; vfs works everywhere."""
CHROOT: Final = ["--isolation", "chroot"]
"""Which needs no namespaces: the machine may be a container itself."""
PATIENCE: Final = 60.0


def main() -> None:
    """Leave the image in ``build/container``, or say what is wrong."""
    WORK.mkdir(parents=True, exist_ok=True)
    build(base())
    container = buildah("from", IMAGE)
    try:
        answer, seconds = serve_and_call(container)
        print(answer)
        print(
            f"The image of {size() / 1e6:.0f} MB serves a call as its own user; SIGTERM ends it after {seconds:.1f} s."
        )
    finally:
        buildah("rm", container)


def buildah(command: str, *arguments: str) -> str:
    """What it prints last; its failure is ours."""
    done = subprocess.run(
        ["buildah", *STORAGE, command, *arguments], cwd=ROOT, check=False, stdout=subprocess.PIPE, text=True
    )
    if done.returncode:
        sys.exit(f"{done.stdout}\nbuildah {command} ended with {done.returncode}.")
    return done.stdout.strip().rpartition("\n")[2]


def base() -> str:
    """The image that the recipe begins with, or one like it."""
    named = re.search(r"^ARG BASE=(\S+)$", RECIPE.read_text(), re.MULTILINE)
    assert named
    pulled = subprocess.run(["buildah", *STORAGE, "pull", named[1]], check=False, capture_output=True)
    if not pulled.returncode:
        return named[1]
    if not subprocess.run(["buildah", *STORAGE, "inspect", OWN_BASE], check=False, capture_output=True).returncode:
        return OWN_BASE
    archive = WORK / "base.tar"
    if not archive.exists():
        print(f"{named[1]} cannot be pulled: its like is made by mmdebstrap.")
        subprocess.run(["mmdebstrap", "--variant=minbase", "bookworm", f"{archive}.part"], check=True)
        Path(f"{archive}.part").rename(archive)
    container = buildah("from", "scratch")
    buildah("add", container, str(archive), "/")
    buildah("commit", "--rm", container, OWN_BASE)
    return OWN_BASE


def build(image: str) -> None:
    """From the tree as it is."""
    with tempfile.TemporaryDirectory() as directory:
        volumes = [option for volume in pip_mounts(Path(directory)) for option in ("--volume", f"{volume}:ro")]
        options = ["--format", "docker", "--build-arg", f"BASE={image}"]
        buildah("bud", *CHROOT, *options, *volumes, "--file", str(RECIPE), "--tag", IMAGE, ".")


def size() -> int:
    """Bytes of the image."""
    listed: list[dict[str, Any]] = json.loads(
        subprocess.run(["buildah", *STORAGE, "images", "--json"], check=True, stdout=subprocess.PIPE).stdout
    )
    [megabytes] = [one["size"] for one in listed if f"{IMAGE}:latest" in one.get("names", [])]
    number, unit = re.findall(r"([\d.]+) (\w+)", megabytes)[0]
    return int(float(number) * {"KB": 1e3, "MB": 1e6, "GB": 1e9}[unit])


def serve_and_call(container: str) -> tuple[str, float]:
    """What ``glottis call`` says of a call, and how long the gateway took to end."""
    config = inspect(container)
    port = free_port()
    environment = {
        "GLOTTIS_SERVER__PORT": str(port),
        "GLOTTIS_MEDIA__UDP_PORT": "0",
        "GLOTTIS_AUTH__SETTINGS__PLAIN_KEYS__WEBSITE": KEY,
    }
    with running(container, [*config["Entrypoint"], *config["Cmd"]], environment) as gateway:
        wait_healthy(container, config["Healthcheck"]["Test"][1:], port, gateway)
        called = subprocess.run(
            [Path(sys.executable).with_name("glottis"), "call", f"http://127.0.0.1:{port}"],
            env={**os.environ, "GLOTTIS_API_KEY": KEY},
            check=False,
            stdout=subprocess.PIPE,
            text=True,
        )
        [pid] = [
            pid for pid in descendants(gateway.pid) if b"serve\0" in command_of(pid) and b"glottis" in command_of(pid)
        ][-1:]
        user = Path(f"/proc/{pid}").stat().st_uid
        if called.returncode or user != int(config["User"]):
            sys.exit(f"The call ended with {called.returncode}, and the gateway is user {user}.")
        began = time.monotonic()
        os.kill(pid, signal.SIGTERM)
        if gateway.wait(PATIENCE):
            sys.exit(f"After SIGTERM the gateway ended with {gateway.returncode}.")
        return called.stdout.strip(), time.monotonic() - began


def inspect(container: str) -> dict[str, Any]:
    """Of the image, as Docker has it."""
    told = subprocess.run(["buildah", *STORAGE, "inspect", container], check=True, stdout=subprocess.PIPE).stdout
    config: dict[str, Any] = json.loads(told)["Docker"]["config"]
    return config


@contextmanager
def running(
    container: str, command: list[str], environment: Mapping[str, str], errors: int | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A process in the container, ended at the latest with the block."""
    variables = [option for name, value in environment.items() for option in ("--env", f"{name}={value}")]
    process = subprocess.Popen(
        ["buildah", *STORAGE, "run", *CHROOT, *variables, container, "--", *command], stderr=errors
    )
    try:
        yield process
    finally:
        for pid in [*descendants(process.pid)][::-1]:
            os.kill(pid, signal.SIGKILL)
        process.wait()


def wait_healthy(container: str, check: list[str], port: int, gateway: subprocess.Popen[bytes]) -> None:
    """As the image's own check finds it."""
    here = [word.replace(":8080/", f":{port}/") for word in check]
    deadline = time.monotonic() + PATIENCE
    while True:
        with running(container, here, {}, subprocess.DEVNULL) as process:
            if not process.wait():
                return
        if gateway.poll() is not None or time.monotonic() > deadline:
            sys.exit("The gateway in the image has not become healthy.")
        time.sleep(0.5)


def descendants(pid: int) -> Iterator[int]:
    """Processes that it has begun, and those of these."""
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in path.read_text().split():
            yield int(child)
            yield from descendants(int(child))


def command_of(pid: int) -> bytes:
    """The words of a process, with a zero after each."""
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def free_port() -> int:
    """Of TCP."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


if __name__ == "__main__":
    main()
