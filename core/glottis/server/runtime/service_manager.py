"""What a service manager such as systemd is told, and has opened for us: sd_notify(3), sd_listen_fds(3).

The protocols are plain: datagrams of lines to a socket that the environment names, and descriptors from 3 on.
"""

import logging
import os
import socket
import time
from collections.abc import Iterable, MutableMapping
from ipaddress import ip_address
from typing import Final

import trio

from glottis.config import Server
from glottis.contracts.errors import ConfigurationError

FIRST_DESCRIPTOR: Final = 3
VARIABLES: Final = (
    *("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"),
    *("LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "LISTEN_PIDFDID"),
)
"""Of the environment, which are meant for one process and none of those that it starts."""

logger = logging.getLogger(__name__)


class ServiceManager:
    """The one that has started this process, if any has. Takes its variables out of ``environ``.

    ``listening`` are the TCP sockets that it has opened. Raises ``ConfigurationError`` for others.
    """

    def __init__(self, environ: MutableMapping[str, str], pid: int | None = None) -> None:
        mine = {name: environ.pop(name, "") for name in VARIABLES}
        pid = os.getpid() if pid is None else pid
        self._address = mine["NOTIFY_SOCKET"]
        is_watched = mine["WATCHDOG_USEC"].isdigit() and mine["WATCHDOG_PID"] in ("", str(pid))
        self.patience = int(mine["WATCHDOG_USEC"]) / 1e6 if is_watched else None
        """Seconds within which it has to hear that the event loop turns; None: it does not care."""
        count = int(mine["LISTEN_FDS"]) if mine["LISTEN_FDS"].isdigit() and mine["LISTEN_PID"] == str(pid) else 0
        self.listening = [_taken(descriptor) for descriptor in range(FIRST_DESCRIPTOR, FIRST_DESCRIPTOR + count)]

    def say(self, *assignments: str) -> None:
        """Such as ``READY=1``; to nobody if there is none."""
        if not self._address:
            return
        address = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                sock.setblocking(False)
                sock.sendto("\n".join(assignments).encode(), address)
        except OSError as error:
            logger.warning("the service manager cannot be told %s: %s", assignments[0], error)

    def say_reloading(self) -> None:
        """For ``Type=notify-reload``, with the moment at which it began; ``READY=1`` ends it."""
        self.say("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    async def keep_watched(self) -> None:
        """Until cancelled, say that the event loop turns, twice as often as has to be; return if nobody cares."""
        while self.patience:
            self.say("WATCHDOG=1")
            await trio.sleep(self.patience / 2)


def check_reach(sockets: Iterable[socket.socket], server: Server) -> None:
    """Raises ``ConfigurationError`` for one that others reach where ``server.host`` says that nobody else may."""
    for sock in sockets:
        host = sock.getsockname()[0]
        if server.is_loopback and not ip_address(host).is_loopback:
            raise ConfigurationError(
                f"server.host: {server.host} is a loopback address, but the service manager has opened {host}"
            )


def _taken(descriptor: int) -> socket.socket:
    os.set_inheritable(descriptor, False)
    try:
        sock = socket.socket(fileno=descriptor)
        is_fit = sock.family in (socket.AF_INET, socket.AF_INET6) and sock.getsockopt(
            socket.SOL_SOCKET, socket.SO_ACCEPTCONN
        )
    except OSError:
        is_fit = False
    if not is_fit:
        raise ConfigurationError(f"the service manager's descriptor {descriptor}: expected a TCP socket that listens")
    sock.setblocking(False)
    return sock
