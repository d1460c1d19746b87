"""A real coturn at the public network of ``internet``: what STUN and TURN servers are to those behind translators."""

import subprocess
from collections.abc import AsyncIterator, Sequence
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
WITH_USER: Final = ("--lt-cred-mech", "--user=caller:secret")


class PublicCoturn:
    """A coturn with addresses of both families, and a certificate of its own; ``log`` is what it wrote."""

    def __init__(self, internet: Internet, directory: Path, options: Sequence[str], nursery: trio.Nursery) -> None:
        self.log = ""
        self._nursery = nursery
        self._process: trio.Process | None = None
        self._command = [
            *internet.command(PUBLIC),
            *("stdbuf", "-oL", "turnserver", "-n", "--no-cli", "--no-dtls", "--log-file=stdout", "--verbose"),
            *(f"--cert={directory / 'cert.pem'}", f"--pkey={directory / 'key.pem'}", "--tls-listening-port=443"),
            *(*options, "--realm=glottis.example"),
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
        self.log += written.decode()
        self._nursery.start_soon(self._read, process.stdout)

    async def kill(self) -> None:
        """At once, as a machine that loses its power."""
        assert self._process is not None
        self._process.kill()
        await self._process.wait()

    async def _read(self, stream: trio.abc.ReceiveStream) -> None:
        async for chunk in stream:
            self.log += chunk.decode(errors="replace")


@asynccontextmanager
async def open_public_coturn(
    internet: Internet, directory: Path, options: Sequence[str]
) -> AsyncIterator[PublicCoturn]:
    """Serve until the block is left; ``options`` say who may have an address of it."""
    make_certificate(directory, f"IP:{SERVER}")
    async with trio.open_nursery() as nursery:
        server = PublicCoturn(internet, directory, options, nursery)
        await server.start()
        yield server
        await server.kill()
