"""A real coturn at the public network of ``internet``: what STUN and TURN servers are to those behind translators."""

import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

import trio

from support.coturn import make_certificate
from support.internet import PUBLIC, Internet
from support.patience import PATIENCE

SERVER: Final = "203.0.113.3"
SERVER_6: Final = "2001:db8::3"
USER: Final = "caller:secret"


class PublicCoturn:
    """A coturn with addresses of both families, and a certificate of its own."""

    def __init__(self, internet: Internet, directory: Path, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self._process: trio.Process | None = None
        self._command = [
            *internet.command(PUBLIC),
            *("stdbuf", "-oL", "turnserver", "-n", "--no-cli", "--no-dtls", "--log-file=stdout", "--verbose"),
            *(f"--cert={directory / 'cert.pem'}", f"--pkey={directory / 'key.pem'}", "--tls-listening-port=443"),
            *("--lt-cred-mech", f"--user={USER}", "--realm=glottis.example"),
            *(f"--listening-ip={SERVER}", f"--relay-ip={SERVER}"),
            *(f"--listening-ip={SERVER_6}", f"--relay-ip={SERVER_6}"),
            *(f"--userdb={directory / 'turn.db'}", f"--pidfile={directory / 'turn.pid'}"),
        ]

    async def start(self) -> None:
        """Until it serves."""
        start = partial(trio.run_process, self._command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        process: trio.Process = await self._nursery.start(start)
        self._process = process
        assert process.stdout
        written = b""
        with trio.fail_after(PATIENCE):
            while b"SQLite DB connection success" not in written:
                written += (chunk := await process.stdout.receive_some())
                assert chunk, written.decode()
        self._nursery.start_soon(_drain, process.stdout)

    async def kill(self) -> None:
        """At once, as a machine that loses its power."""
        assert self._process is not None
        self._process.kill()
        await self._process.wait()


@asynccontextmanager
async def open_public_coturn(internet: Internet, directory: Path) -> AsyncIterator[PublicCoturn]:
    """Serve until the block is left."""
    make_certificate(directory, f"IP:{SERVER}")
    async with trio.open_nursery() as nursery:
        server = PublicCoturn(internet, directory, nursery)
        await server.start()
        yield server
        await server.kill()


async def _drain(stream: trio.abc.ReceiveStream) -> None:
    async for _ in stream:
        pass
