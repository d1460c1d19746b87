"""Looks up the names that browsers on the same network hide behind, by multicast DNS, in the background.

Most of them are heard by their own checks before any answer comes. Only where configured: callers, wherever they are,
can make the gateway ask on its network.
"""

import logging
import socket
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from ipaddress import ip_address
from typing import Final

import msgspec
import trio

from glottis.contracts.errors import Malformed
from glottis.wire.mdns import build_mdns_query, is_hidden_name, parse_mdns_answer_untrusted

logger = logging.getLogger(__name__)

GROUP: Final = "224.0.0.251"
PORT: Final = 5353
MAX_NAMES: Final = 64
"""Asked for at a time, of all calls; others are not asked for."""
MAX_ADDRESSES: Final = 4
"""Of a name."""
ASKED_AT: Final = (0.0, 1.0, 3.0)
"""Seconds; the interval doubles (RFC 6762 §5.2)."""
PATIENCE: Final = 5.0
"""Seconds until a name is forgotten."""
MAX_DATAGRAM: Final = 9000
"""RFC 6762 §17."""


class _Wanted(msgspec.Struct):
    """A name under way."""

    tell: dict[object, Callable[[str], None]] = msgspec.field(default_factory=dict)
    found: set[str] = msgspec.field(default_factory=set)


class LocalNames:
    """Owned by the gateway; ``run`` works until cancelled. ``interfaces`` are IPv4 addresses of this machine."""

    def __init__(self, interfaces: Iterable[str], group: tuple[str, int] = (GROUP, PORT)) -> None:
        self.refused = 0
        """Names that were not asked for, because too many were already."""
        self._interfaces = [host for host in interfaces if ip_address(host).version == 4]
        self._group = group
        self._wanted: dict[str, _Wanted] = {}
        self._new: list[str] = []
        self._work = trio.Event()
        self._sockets: list[trio.socket.SocketType] = []

    def ask(self, name: str, owner: object, tell: Callable[[str], None]) -> None:
        """``tell`` hears of each address of a hidden name, until ``owner`` wants it no more. Other names have none."""
        name = name.lower()
        if not is_hidden_name(name) or not self._sockets:
            return
        if name not in self._wanted:
            if len(self._wanted) >= MAX_NAMES:
                self.refused += 1
                return
            self._wanted[name] = _Wanted()
            self._new.append(name)
            self._work.set()
        self._wanted[name].tell[owner] = tell

    def forget(self, owner: object) -> None:
        """It is told no more."""
        for wanted in self._wanted.values():
            wanted.tell.pop(owner, None)

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Ask and listen, until cancelled. Where the sockets cannot be had, that is logged, and no name is found."""
        with ExitStack() as stack:
            try:
                self._sockets = [stack.enter_context(_open(host, self._group)) for host in self._interfaces]
            except OSError as error:
                logger.warning("names in .local cannot be looked up: %s", error)
                self._sockets = []
            task_status.started()
            async with trio.open_nursery() as nursery:
                for sock in self._sockets:
                    nursery.start_soon(self._listen, sock)
                while True:
                    await self._work.wait()
                    self._work = trio.Event()
                    new, self._new = self._new, []
                    for name in new:
                        nursery.start_soon(self._look_up, name)

    async def _look_up(self, name: str) -> None:
        query = build_mdns_query(name)
        with trio.move_on_after(PATIENCE):
            began = trio.current_time()
            for moment in ASKED_AT:
                await trio.sleep_until(began + moment)
                for sock in self._sockets:
                    try:
                        await sock.sendto(query, self._group)
                    except OSError as error:
                        logger.debug("a query for a name in .local could not leave: %s", error)
            await trio.sleep_forever()
        del self._wanted[name]

    async def _listen(self, sock: trio.socket.SocketType) -> None:
        while True:
            try:
                data, _ = await sock.recvfrom(MAX_DATAGRAM)
                answers = parse_mdns_answer_untrusted(data)
            except (OSError, Malformed) as error:
                logger.debug("multicast DNS: %s", error)
                continue
            for answer in answers:
                self._tell(answer.name, answer.host)

    def _tell(self, name: str, host: str) -> None:
        wanted = self._wanted.get(name)
        if wanted is not None and host not in wanted.found and len(wanted.found) < MAX_ADDRESSES:
            wanted.found.add(host)
            for tell in list(wanted.tell.values()):
                tell(host)


def _open(host: str, group: tuple[str, int]) -> trio.socket.SocketType:
    """Beside other users of the port. Answers are multicast: browsers know no other way."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)  # RFC 6762 §11
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(host))
        membership = socket.inet_aton(group[0]) + socket.inet_aton(host)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
        sock.bind(group)
    except OSError:
        sock.close()
        raise
    return trio.socket.from_stdlib_socket(sock)
