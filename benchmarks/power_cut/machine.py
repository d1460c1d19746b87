"""A gateway and its Redis, which lose their power together; and the endpoint of its webhooks, which does not."""

import json
import os
import random
import signal
import subprocess
from functools import partial
from pathlib import Path
from typing import Final

import trio
from glottis_webhooks.signing import key_of, signed_headers
from support.command import GLOTTIS
from support.ports import free_port
from support.redis import RedisServer

from benchmarks.power_cut.files import LOG

SECRET: Final = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
READY: Final = 60.0
"""Seconds for a start: the machine may be busy."""
_CONFIG: Final = """
[server]
port = {port}
workers = {workers}
max_sessions_per_minute = 1000000
max_load = 1
[auth]
scheme = "anonymous"
[media]
codecs = ["opus", "PCMU"]
[campaigns.echo]
agent = "echo"
[log]
level = "debug"
verbose = ["dtls", "ice", "sdp", "servers", "session"]
json = true
file = "{log}"
file_megabytes = 1
[extensions]
enabled = ["recorder", "call-capture", "webhooks", "cluster"]
[extensions.settings.recorder]
directory = "{folder}/recordings"
format = "{format}"
consent = "given"
[extensions.settings.call-capture]
directory = "{folder}/captures"
consent = "given"
[extensions.settings.webhooks]
url = "http://127.0.0.1:{hooks}/"
secret = "{secret}"
directory = "{folder}/spool"
[extensions.settings.cluster]
redis = "{redis}"
name = "machine"
"""


class Endpoint:
    """Takes most webhooks, fails at others, and looks at each."""

    def __init__(self, rng: random.Random) -> None:
        self.taken = 0
        self.refused = 0
        self.complaints: list[str] = []
        self.ended: set[str] = set()
        self._rng = rng

    async def serve(self, stream: trio.SocketStream) -> None:
        """One request of a connection."""
        try:
            status = await self._answer(stream)
            await stream.send_all(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % status)
            await stream.aclose()
        except (trio.BrokenResourceError, EOFError):  # the power was cut
            await trio.aclose_forcefully(stream)

    async def _answer(self, stream: trio.SocketStream) -> int:
        data = b""
        while b"\r\n\r\n" not in data:
            data += await _more(stream)
        head, _, body = data.partition(b"\r\n\r\n")
        lines = head.decode().lower().splitlines()[1:]
        headers = {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
        while len(body) < int(headers["content-length"]):
            body += await _more(stream)
        if self._rng.random() < 0.2:
            self.refused += 1
            return 503
        self._judge(dict(line.split(": ", 1) for line in head.decode().splitlines()[1:]), body)
        return 204

    def _judge(self, fields: dict[str, str], body: bytes) -> None:
        headers = {name.lower(): value for name, value in fields.items()}
        expected = signed_headers(key_of(SECRET), headers["webhook-id"], int(headers["webhook-timestamp"]), body)
        if headers["webhook-signature"] != expected["webhook-signature"]:
            self.complaints.append("a webhook has a wrong signature")
        json.loads(body)
        self.taken += 1


async def _more(stream: trio.SocketStream) -> bytes:
    chunk = await stream.receive_some(65536)
    if not chunk:
        raise EOFError
    return bytes(chunk)


class Machine:
    """``start`` and ``cut`` it in turn, as often as wanted."""

    def __init__(self, folder: Path, hooks_port: int) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._folder = folder
        self._hooks_port = hooks_port
        self._redis = RedisServer(folder, free_port(), is_kept=True)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, recording: str, workers: int) -> None:
        """Returns at once."""
        self._redis.start()
        path = self._folder / "glottis.toml"
        path.write_text(
            _CONFIG.format(
                port=self.port,
                workers=workers,
                log=self._folder / LOG,
                folder=self._folder,
                format=recording,
                hooks=self._hooks_port,
                secret=SECRET,
                redis=self._redis.url,
            )
        )
        with (self._folder / "errors").open("wb") as errors:
            command = [str(GLOTTIS), "serve", "--config", str(path)]
            self._process = subprocess.Popen(command, stdout=errors, stderr=errors, start_new_session=True)

    async def ready(self) -> float:
        """Wait until there can be calls; returns the seconds. Raises ``RuntimeError`` if it has ended instead."""
        began = trio.current_time()
        with trio.fail_after(READY):
            while not await self._is_ready():
                if self._process is None or self._process.poll() is not None:
                    raise RuntimeError(f"it has not started: {(self._folder / 'errors').read_text()[-2000:]}")
                await trio.sleep(0.02)
        return trio.current_time() - began

    async def _is_ready(self) -> bool:
        try:
            stream = await trio.open_tcp_stream("127.0.0.1", self.port)
        except OSError:
            return False
        async with stream:
            try:
                await stream.send_all(b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
                return (await stream.receive_some(64)).startswith(b"HTTP/1.1 200")
            except trio.BrokenResourceError:
                return False

    def begin_to_stop(self) -> None:
        """As a service manager does."""
        if self._process is not None:
            self._process.terminate()

    def cut(self) -> None:
        """The power of all of it: of all processes in the gateway's session, and of Redis."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None
        self._redis.kill()


async def open_endpoint(nursery: trio.Nursery, rng: random.Random) -> tuple[Endpoint, int]:
    """It runs in the nursery; and its port."""
    endpoint = Endpoint(rng)
    [listener] = await nursery.start(partial(trio.serve_tcp, endpoint.serve, 0, host="127.0.0.1"))
    port: int = listener.socket.getsockname()[1]
    return endpoint, port
