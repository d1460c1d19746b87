"""A gateway behind a translator of addresses: three network namespaces with real kernels' rules between them.

``inside`` is the gateway's, ``router`` translates, and ``outside`` has the caller behind a firewall of its own, and a
STUN server. Needs root.
"""

import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import trio

INSIDE: Final = "10.77.0.2"
ROUTER: Final = "203.0.113.1"
CALLER: Final = "203.0.113.2"
STUN_SERVER: Final = "203.0.113.3"
HTTP_PORT: Final = 8080
UDP_PORT: Final = 50000

_CABLES: Final = """
link add {i}v type veth peer name {r}i
link set {i}v netns {i}
link set {r}i netns {r}
link add {o}v type veth peer name {r}o
link set {o}v netns {o}
link set {r}o netns {r}
-n {i} addr add 10.77.0.2/24 dev {i}v
-n {r} addr add 10.77.0.1/24 dev {r}i
-n {r} addr add 203.0.113.1/24 dev {r}o
-n {o} addr add 203.0.113.2/24 dev {o}v
-n {o} addr add 203.0.113.3/24 dev {o}v
-n {i} link set lo up
-n {o} link set lo up
-n {i} link set {i}v up
-n {r} link set {r}i up
-n {r} link set {r}o up
-n {o} link set {o}v up
-n {i} route add default via 10.77.0.1
"""
_ROUTER_RULES: Final = """
table ip nat {{
    chain prerouting {{
        type nat hook prerouting priority -100;
        ip daddr 203.0.113.1 tcp dport 8080 dnat to 10.77.0.2
        {forward_udp}
    }}
    chain postrouting {{
        type nat hook postrouting priority 100;
        oifname "{r}o" masquerade
    }}
}}
table ip filter {{
    chain input {{
        type filter hook input priority 0;
        udp dport 50000 drop
    }}
}}
"""
_CALLER_RULES: Final = """
table ip filter {
    chain input {
        type filter hook input priority 0;
        meta l4proto udp ct state established accept
        udp dport 3478 accept
        meta l4proto udp drop
    }
}
"""
"""Only who was written to may write back."""


@dataclass(frozen=True, slots=True)
class Namespaces:
    """Their names; ``command`` runs something in one of them."""

    inside: str
    router: str
    outside: str

    @staticmethod
    def command(namespace: str) -> list[str]:
        """What to put before a command."""
        return ["ip", "netns", "exec", namespace]


@contextmanager
def network_with_translator(*, forwards_udp: bool) -> Iterator[Namespaces]:
    """A 1:1 NAT if it ``forwards_udp``, else what a home or office has. HTTP is passed on in any case."""
    names = [f"g{os.getpid()}{letter}" for letter in "iro"]
    spaces = Namespaces(*names)
    try:
        for name in names:
            _run("ip", "netns", "add", name)
        for line in _CABLES.strip().format(**dict(zip("iro", names, strict=True))).splitlines():
            _run("ip", *line.split())
        _run(*spaces.command(spaces.router), "sysctl", "-qw", "net.ipv4.ip_forward=1")
        forward = f"ip daddr {ROUTER} udp dport {UDP_PORT} dnat to {INSIDE}" if forwards_udp else ""
        _load(spaces.router, _ROUTER_RULES.format(forward_udp=forward, r=spaces.router))
        _load(spaces.outside, _CALLER_RULES)
        yield spaces
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


@asynccontextmanager
async def open_stun_server(spaces: Namespaces, directory: Path) -> AsyncIterator[None]:
    """coturn, as a STUN server, outside."""
    command = [
        *spaces.command(spaces.outside),
        *("stdbuf", "-oL", "turnserver", "-n", "--stun-only", "--no-cli", "--no-tls", "--no-dtls", "--log-file=stdout"),
        *(f"--listening-ip={STUN_SERVER}", f"--userdb={directory / 'turn.db'}", f"--pidfile={directory / 'turn.pid'}"),
    ]
    async with trio.open_nursery() as nursery:
        start = partial(trio.run_process, command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        process: trio.Process = await nursery.start(start)
        assert process.stdout
        written = b""
        with trio.fail_after(10):
            while b"SQLite DB connection success" not in written:
                written += (chunk := await process.stdout.receive_some())
                assert chunk, written.decode()
        nursery.start_soon(_drain, process.stdout)
        yield
        process.terminate()


async def _drain(stream: trio.abc.ReceiveStream) -> None:
    async for _ in stream:
        pass


def _load(namespace: str, rules: str) -> None:
    subprocess.run([*Namespaces.command(namespace), "nft", "-f", "-"], input=rules, text=True, check=True)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
