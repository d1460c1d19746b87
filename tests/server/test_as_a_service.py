"""``glottis serve`` as operators have it: behind a socket of systemd, on all cores, with metrics and traces."""

import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest
import trio
from prometheus_client.parser import text_string_to_metric_families
from support.collector import Collector, attributes, open_collector
from support.command import Command, open_command
from support.fleet import FleetProcess, configured
from support.gateway import gateway_at
from support.http import request
from support.lean import lean
from support.patience import PATIENCE
from support.phone import Phone, open_exchange

pytestmark = pytest.mark.realtime

ACTIVATE: Final = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ |= {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())}
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
os.execv(sys.argv[2], sys.argv[2:])
"""
"""As systemd starts a service whose socket it has opened (sd_listen_fds(3)); on two cores where there are more."""
CORES: Final = min(2, len(os.sched_getaffinity(0)))
MORE: Final = """
[extensions]
enabled = ["metrics", "opentelemetry"]

[extensions.settings.opentelemetry]
endpoint = "ENDPOINT"

[routes]
enabled = ["metrics"]
"""


@asynccontextmanager
async def activated(listener: socket.socket, config: Path, env: Mapping[str, str]) -> AsyncIterator[Command]:
    """A gateway that serves this socket, until the block is left in good order."""
    descriptor = listener.fileno()
    prefix = [sys.executable, "-c", ACTIVATE, str(descriptor)]
    async with open_command("serve", "--config", config, env=env, prefix=prefix, pass_fds=[descriptor]) as command:
        try:
            serving = await command.wait_for(r"glottis serves http://127.0.0.1:(\d+) with")
            assert int(serving[1]) == listener.getsockname()[1]
            yield command
            command.process.send_signal(signal.SIGTERM)
            assert await command.wait() == 0, command.errors
        finally:
            if command.process.returncode is None:
                command.process.send_signal(signal.SIGINT)


async def test_a_service_serves_the_socket_it_was_given_on_all_cores_and_tells_prometheus_and_a_collector(
    tmp_path: Path,
) -> None:
    config = tmp_path / "service.toml"
    with open_collector(Collector()) as collector, socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        text = (
            configured("shutdown_grace = 0").replace("workers = 2", 'workers = "auto"').replace("port = 0", "port = 1")
        )
        text += MORE.replace("ENDPOINT", collector.endpoint)
        config.write_text(text)
        async with activated(listener, config, lean(text)) as command:
            assert (len(FleetProcess(command, config).serving) or 1) == CORES
            async with open_exchange(gateway_at(url)) as exchange:
                phones = [await exchange.call() for _ in range(CORES)]
                for phone in phones:
                    await phone.hear()
                told = await request(exchange.gateway, "GET", "/api/plugins/metrics/prometheus")
                assert active(told.body.decode()) == {worker_of(phone): 1.0 for phone in phones}
                for phone in phones:
                    await phone.hang_up()
        sent = {attributes(span)["glottis.session_id"]: attributes(span) for span in collector.named("call")}
        assert sent.keys() == {phone.session_id for phone in phones}
        assert {one["glottis.end_reason"] for one in sent.values()} == {"the caller hung up"}
        async with await trio.open_tcp_stream("127.0.0.1", listener.getsockname()[1]) as early:
            await early.send_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            async with activated(listener, config, lean(text)):
                with trio.fail_after(PATIENCE):
                    answer = b"".join([piece async for piece in early])
        assert answer.startswith(b"HTTP/1.1 200"), "who connects while nobody serves waits"


def active(text: str) -> dict[str, float]:
    """Calls by their worker."""
    return {
        sample.labels.get("worker", ""): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "glottis_sessions" and sample.labels["state"] == "active"
    }


def worker_of(phone: Phone) -> str:
    """As metrics name it; empty where there is only one."""
    return phone.session_id.partition("-")[0] if CORES > 1 else ""
