"""``glottis serve`` with several workers, and phones for it."""

import json
import os
import re
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from glottis.server.fleet.environment import VARIABLE

from support.command import Command, open_command
from support.gateway import gateway_at
from support.http import Reply, request
from support.lean import lean
from support.patience import PROCESS_PATIENCE
from support.phone import Exchange, Phone, eventually, open_exchange

CONFIG: Final = """
[server]
port = 0
workers = 2
max_load = 1
max_sessions_per_minute = 100000
SERVER

[auth]
scheme = "SCHEME"
operators = ["anonymous"]

[campaigns.echo]
agent = "echo"

[campaigns.few]
agent = "echo"
max_sessions = 3
"""

DOOR: Final = """
[routes]
enabled = ["iqra-widget"]
"""
"""For ``ask_door``."""


class FleetProcess:
    """Made by ``open_fleet``."""

    def __init__(self, command: Command, config: Path) -> None:
        self.command = command
        self.config = config
        self.exchange: Exchange

    @property
    def workers(self) -> dict[int, int]:
        """The processes by their numbers, those that wait included."""
        threads = Path(f"/proc/{self.command.process.pid}/task").glob("*/children")
        children = [child for thread in threads for child in thread.read_text().split()]
        return {number: int(child) for child in children if (number := _number_of(int(child)))}

    @property
    def serving(self) -> list[int]:
        """The numbers of those that have served, in their order."""
        return [int(number) for number in re.findall(r"worker (\d+) \(process \d+\) serves", self.command.errors)]

    def has_served(self, count: int) -> bool:
        """Whether so many workers have."""
        return len(self.serving) >= count

    def kill(self, number: int, signum: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to a worker."""
        os.kill(self.workers[number], signum)

    def reload(self, **changes: str) -> None:
        """With the text of the configuration changed."""
        text = self.config.read_text()
        for old, new in changes.items():
            assert old in text
            text = text.replace(old, new)
        self.config.write_text(text)
        self.command.process.send_signal(signal.SIGHUP)

    async def stop(self) -> int:
        """In good order; returns the exit code."""
        self.command.process.send_signal(signal.SIGTERM)
        return await self.command.wait()


async def call_by_door(fleet: FleetProcess, campaign: str = "echo") -> Phone:
    """A phone in the middle of a call, for which a plugin's route has been asked."""
    phone = fleet.exchange.phone()
    reply = await ask_door(fleet, campaign)
    assert reply.status == 200, reply
    document = reply.document
    phone.session_id = document["sessionId"]
    await phone.open_socket(document["webSocketUrl"])
    await phone.negotiate()
    return phone


async def ask_door(fleet: FleetProcess, campaign: str) -> Reply:
    """What such a route answers."""
    wish = json.dumps({"campaignId": campaign, "transportType": 1}).encode()
    return await request(fleet.exchange.gateway, "POST", "/api/session/request", wish, content_type="application/json")


def worker_of(phone: Phone) -> int:
    """The number of the one that has its call."""
    return int(phone.session_id.partition("-")[0])


def _number_of(pid: int) -> int | None:
    try:
        environ = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return None
    found = re.search(rf"{VARIABLE}=\d+ (\d+)".encode(), environ)
    return int(found[1]) if found else None


def configured(server: str, scheme: str = "anonymous") -> str:
    """A configuration with further lines of the section ``server``."""
    return CONFIG.replace("SERVER", server).replace("SCHEME", scheme)


@asynccontextmanager
async def open_fleet(
    directory: Path,
    server: str = "",
    env: Mapping[str, str] | None = None,
    more: str = "",
    scheme: str = "anonymous",
    patience: float = PROCESS_PATIENCE,
) -> AsyncIterator[FleetProcess]:
    """On any free port; leaving the block kills it. ``server`` has further lines of that section, ``more`` others.

    ``patience`` is for all of it.
    """
    config = directory / "fleet.toml"
    text = configured(server, scheme) + more
    config.write_text(text)
    variables = {**lean(text), **(env or {})}
    async with open_command("serve", "--config", config, env=variables, patience=patience) as command:
        fleet = FleetProcess(command, config)
        try:
            serving = await command.wait_for(r"glottis serves (http://\S+) with")
            gateway = gateway_at(serving[1])
            async with open_exchange(gateway) as fleet.exchange:
                yield fleet
        finally:
            if command.process.returncode is None:
                command.process.send_signal(signal.SIGINT)


async def spare_waits(fleet: FleetProcess, workers: int = 2) -> None:
    """Until one more process than that has been started."""
    await eventually(lambda: len(fleet.workers) > workers)
