"""A gateway that may have 256 MiB, and more callers than fit: ``PYTHONPATH=tests python -m benchmarks.memory_ceiling``.

As root, for a control group (cgroups(7), of either version) limits its memory; ``max_sessions`` is ``"auto"``. Callers
come, all of whom speak Opus, until one is refused. Then all of them are to be heard still: the kernel has ended nobody.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import trio
from glottis.config.memory import MIB
from support.command import open_command
from support.gateway import gateway_at
from support.phone import Exchange, Phone, open_exchange

LIMIT: Final = 256 * MIB
MOST: Final = 300
"""Callers, if none is refused."""
PATIENCE: Final = 300.0
FRAMES: Final = 100
"""That each is to hear when no more are let in."""
_GROUPS: Final = Path("/sys/fs/cgroup")
_CONFIG: Final = """
[server]
port = 0
max_sessions = "auto"
max_load = 1.0
max_sessions_per_client = 1000
max_connections_per_client = 1000
max_sessions_per_minute = 100000

[auth]
scheme = "anonymous"

[campaigns.echo]
agent = "echo"
"""


async def main() -> int:
    """One line; 1 if nobody was refused."""
    with tempfile.TemporaryDirectory() as folder, _limited() as group:
        config = Path(folder) / "glottis.toml"
        config.write_text(_CONFIG)
        enter = ("sh", "-c", f'echo $$ > {group}/cgroup.procs && exec "$0" "$@"')
        async with open_command("serve", "--config", config, prefix=enter, patience=PATIENCE) as command:
            serving = await command.wait_for(r"glottis serves (http://\S+) with")
            async with open_exchange(gateway_at(serving[1])) as exchange:
                phones, refusal = await _call_until_refused(exchange)
                async with trio.open_nursery() as nursery:
                    for phone in phones:
                        nursery.start_soon(phone.hear, FRAMES)
                most = int(_file(group, "memory.peak", "memory.max_usage_in_bytes").read_text())
                print(f"{len(phones)} calls, then: {refusal or 'nobody was refused'}; at most {most / MIB:.0f} MiB")
            command.process.terminate()
    return int(not refusal)


async def _call_until_refused(exchange: Exchange) -> tuple[list[Phone], str]:
    """Those who have calls, and what the next one was told; nothing if there is room for more than ``MOST``."""
    phones: list[Phone] = []
    while len(phones) < MOST:
        reply = await exchange.post()
        if reply.status != 200:
            return phones, f"{reply.status} {reply.document['code']}"
        phones.append(phone := exchange.phone())
        phone.session_id, phone.url = reply.document["sessionId"], reply.document["websocketUrl"]
        await phone.open_socket()
        await phone.negotiate()
    return phones, ""


@contextmanager
def _limited() -> Iterator[Path]:
    """A group within that of this process."""
    groups = {names: path.strip("/") for _, names, path in _groups_of_this_process()}
    parent = _GROUPS / "memory" / groups["memory"] if "memory" in groups else _GROUPS / groups[""]
    group = parent / f"glottis-{os.getpid()}"
    group.mkdir()
    try:
        _file(group, "memory.max", "memory.limit_in_bytes").write_text(str(LIMIT))
        yield group
    finally:
        group.rmdir()


def _groups_of_this_process() -> Iterator[list[str]]:
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        yield line.split(":", 2)


def _file(group: Path, *names: str) -> Path:
    """That of the version that there is."""
    for name in names:
        if (group / name).exists():
            return group / name
    sys.exit(
        f"{group} has no {' and no '.join(names)}: begin this where memory may be limited, such as a scope of systemd."
    )


if __name__ == "__main__":
    if os.getuid():
        sys.exit("Run it as root, for it makes a control group.")
    sys.exit(trio.run(main))
