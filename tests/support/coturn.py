"""A real coturn on loopback, over UDP, TCP and TLS, with certificates of its own."""

import base64
import hmac
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen
from typing import Literal

import trio

from support.patience import PATIENCE
from support.ports import free_port

USERNAME, PASSWORD, REALM = "user", "secret", "example.org"
NAME = "turn.example.org"
WITH_USER = ("--lt-cred-mech", f"--user={USERNAME}:{PASSWORD}")
WITH_SECRET = ("--use-auth-secret", "--static-auth-secret=shared")


def ephemeral(seconds: int) -> tuple[str, str]:
    """User name and password for ``WITH_SECRET``, which expire so many seconds from now."""
    username = f"{int(time.time()) + seconds}:caller"
    return username, base64.b64encode(hmac.digest(b"shared", username.encode(), "sha1")).decode()


@dataclass(slots=True)
class Coturn:
    """What runs, by ``command``. ``trust`` is a context that knows the authority of its certificate."""

    command: Sequence[str]
    port: int
    tls_port: int
    trust: ssl.SSLContext
    log: Path
    process: Popen[bytes] = field(init=False)

    def url(self, transport: Literal["udp", "tcp", "tls"]) -> str:
        """By TLS its name has to be ``localhost``."""
        return {
            "udp": f"turn:127.0.0.1:{self.port}",
            "tcp": f"turn:127.0.0.1:{self.port}?transport=tcp",
            "tls": f"turns:localhost:{self.tls_port}",
        }[transport]

    def ice_server(self) -> dict[str, str]:
        """As a peer's RTCIceServer, over UDP."""
        return {"urls": self.url("udp"), "username": USERNAME, "credential": PASSWORD}

    def start(self) -> None:
        """Also after ``kill``: another process, which knows nothing of the one before."""
        with (self.log.parent / "output").open("ab") as output:
            self.process = Popen(self.command, stdout=output, stderr=output, cwd=self.log.parent)

    def kill(self) -> None:
        """At once, as a machine that loses its power."""
        self.process.kill()
        self.process.wait()


@asynccontextmanager
async def open_coturn(
    folder: Path, *options: str, users: Sequence[str] = WITH_USER, name: str = NAME
) -> AsyncIterator[Coturn]:
    """Serve 127.0.0.1 and ::1 until the block is left."""
    port, tls_port = free_port(), free_port()
    make_certificate(folder, name)
    command = turnserver(folder, port, tls_port, [*users, *options])
    trust = ssl.create_default_context(cafile=str(folder / "cert.pem"))
    coturn = Coturn(command, port, tls_port, trust, folder / "coturn.log")
    coturn.start()
    try:
        with trio.fail_after(PATIENCE):
            while not (await answers(port) and await answers(port, "::1")):
                assert coturn.process.poll() is None, coturn.log.read_text()
                await trio.sleep(0.02)
        yield coturn
    finally:
        coturn.kill()


async def answers(port: int, host: str = "127.0.0.1") -> bool:
    try:
        stream = await trio.open_tcp_stream(host, port)
    except OSError:
        return False
    await trio.aclose_forcefully(stream)
    return True


def turnserver(folder: Path, port: int, tls_port: int, options: Sequence[str]) -> list[str]:
    """The command."""
    return [
        "turnserver",
        *(
            "-n",
            "--no-cli",
            "--verbose",
            "--simple-log",
            f"--log-file={folder / 'coturn.log'}",
            f"--pidfile={folder / 'pid'}",
        ),
        *(f"--userdb={folder / 'users'}", f"--realm={REALM}", "--allow-loopback-peers", "--fingerprint"),
        *("--listening-ip=127.0.0.1", "--listening-ip=::1", "--relay-ip=127.0.0.1", "--relay-ip=::1"),
        *(f"--listening-port={port}", f"--tls-listening-port={tls_port}"),
        *(f"--cert={folder / 'cert.pem'}", f"--pkey={folder / 'key.pem'}"),
        *options,
    ]


def make_certificate(folder: Path, name: str) -> None:
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-keyout", folder / "key.pem", "-out", folder / "cert.pem", "-days", "2"),
            *("-subj", f"/CN={name}", "-addext", f"subjectAltName={name if name.startswith('IP:') else 'DNS:' + name}"),
        ],
        check=True,
        capture_output=True,
    )
