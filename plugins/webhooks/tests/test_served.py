"""A gateway in a process of its own, on a disk that is full, with an endpoint that hangs and redirects: calls go on."""

import json
import re
import resource
import signal
import sys
from pathlib import Path
from typing import Any, Final, cast

import pytest
import trio
from support.collector import Collector, open_collector
from support.command import open_command
from support.gateway import CONFIG, gateway_at
from support.lean import lean
from support.phone import open_exchange

FULL_DISK: Final = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
os.execv(sys.argv[1], sys.argv[1:])
"""
"""Files can have no more bytes; ``resource.prlimit`` makes room again."""
HANGS: Final = None


class Endpoint(Collector):
    """Of webhooks: what it is sent is JSON."""

    def __init__(self, *replies: int | None) -> None:
        rest = iter(replies)
        super().__init__(lambda: next(rest, 200))
        self.taken: list[Any] = []

    def take(self, body: bytes, headers: dict[str, str]) -> int | None:
        """See ``Collector``."""
        reply = self.replies()
        with self.changed:
            if reply == 200:
                self.taken.append(json.loads(body)["data"]["sessionId"])
            self.changed.notify_all()
        return reply


def configured(endpoint: Endpoint, directory: Path) -> str:
    return f"""{CONFIG}
[log]
file = "{directory}/log"

[extensions]
enabled = ["webhooks"]

[extensions.settings.webhooks]
url = "http://127.0.0.1:{endpoint.port}/in?key=hunter2"
secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
directory = "{directory}/spool"
events = ["session.created"]
timeout = 0.5
"""


@pytest.mark.realtime
async def test_neither_a_full_disk_nor_an_endpoint_that_hangs_or_redirects_costs_a_call(tmp_path: Path) -> None:
    config = tmp_path / "full.toml"
    with open_collector(Endpoint(HANGS, 200, 302)) as opened:
        endpoint = cast(Endpoint, opened)
        text = configured(endpoint, tmp_path)
        config.write_text(text)
        full = [sys.executable, "-c", FULL_DISK]
        async with open_command("serve", "--config", config, env=lean(text), prefix=full) as command:
            serving = await command.wait_for(r"glottis serves (http://\S+) with")
            async with open_exchange(gateway_at(serving[1])) as exchange:
                first = await exchange.call()
                await first.hear()
                await command.wait_for(r"log\.file: \S+ takes no log: File too large")
                await command.wait_for(r"the directory of webhooks takes no events \(File too large\)")
                await command.wait_for(r"webhooks to \S+ fail: it does not answer within 0.5 s")
                await command.wait_for(r"webhooks to \S+ work again after")
                second = await exchange.call()
                await command.wait_for(r"webhooks to \S+ fail: it redirects \(302\), which is not followed")
                await trio.to_thread.run_sync(endpoint.wait_for, lambda: len(endpoint.taken) == 2)
                assert endpoint.taken == [first.session_id, second.session_id]
                await first.hear()
                resource.prlimit(command.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
                await second.hang_up()
                await command.wait_for("takes the log again")
                await first.hear()
            command.process.send_signal(signal.SIGINT)
    assert re.search(r"\d+ log records are missing here: the disk", (tmp_path / "log").read_text().splitlines()[0])
    for outage in ("takes no log", "takes no events"):
        assert command.errors.count(outage) == 1
    assert "hunter2" not in command.errors
