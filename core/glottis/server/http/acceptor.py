"""Takes connections from a listening socket: as many as wait, by turns, and a task only for those that stay.

The kernel's queue is in order, so whoever comes after a crowd waits until all of it was taken. A connection costs
little until it is begun: it has a place, and waits in the line of its client. Who gives way in the meantime ends with
its socket. Of each client one is begun in turn, so nobody waits behind another's line.
"""

import errno
import logging
import os
import socket
from collections import OrderedDict, deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, NoReturn

import trio

from glottis.server.http.places import Place, Places
from glottis.server.http.problem import Problem
from glottis.server.http.proxies import normal_host
from glottis.server.http.turns import Turns

BEGUN_PER_TURN: Final = 4
"""Connections whose tasks begin in one turn: each costs some tenths of a millisecond until it waits for its request."""
RETRY_INTERVAL: Final = 0.1
"""Seconds to wait for descriptors or memory, for nobody tells when there are any."""
_SHORTAGES: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_OF_ONE_CONNECTION: Final = (
    errno.ECONNABORTED,
    errno.EPERM,
    errno.EPROTO,
    errno.ENOPROTOOPT,
    errno.EOPNOTSUPP,
    errno.ENETDOWN,
    errno.ENETUNREACH,
    errno.EHOSTDOWN,
    errno.EHOSTUNREACH,
)
"""Which was gone before it was taken: accept(2) tells its errors as its own."""

logger = logging.getLogger(__name__)


class Acceptor:
    """Of one listening socket that does not block; it stays its owner's to close.

    ``begin`` starts the task of a connection. ``refuse`` gets a client's host, and has the bytes that it is sent.
    """

    def __init__(
        self,
        listening: socket.socket,
        places: Places,
        turns: Turns,
        *,
        begin: Callable[[socket.socket, Place], None],
        refuse: Callable[[str, Problem], bytes],
    ) -> None:
        self._listening = listening
        self._places = places
        self._turns = turns
        self._begin = begin
        self._refuse = refuse
        self._lines: OrderedDict[str, deque[tuple[socket.socket, Place]]] = OrderedDict()
        """Of each client who has any. Who has given way is still in it, but is passed over."""
        self._is_short = False
        """Of descriptors or memory."""

    async def run(self) -> NoReturn:
        """Until cancelled; then closes."""
        try:
            while True:
                if not self._lines:
                    await self._wait()
                async with self._turns:
                    self.take_turn()
                await trio.lowlevel.checkpoint()
        finally:
            self.close()

    def close(self) -> None:
        """Who was not begun is gone."""
        for line in self._lines.values():
            for sock, place in line:
                self._places.leave(place)
                sock.close()
        self._lines.clear()

    def take_turn(self) -> None:
        """Take who waits, and begin with some; to be called in one of ``turns``."""
        is_crowded = self._take_waiting()
        for _ in range(min(len(self._lines), BEGUN_PER_TURN) if is_crowded else BEGUN_PER_TURN):
            self._begin_next()
        if self._lines:
            self._turns.use_up()  # those that begin have no turn of their own

    async def _wait(self) -> None:
        if self._is_short:
            await trio.sleep(RETRY_INTERVAL)
        else:
            await trio.lowlevel.wait_readable(self._listening)

    def _take_waiting(self) -> bool:
        """Until nobody waits, or the turn is over: says whether more may wait."""
        while True:
            try:
                sock, name = self._listening.accept()
            except BlockingIOError:
                if self._is_short:
                    self._is_short = False
                    logger.info("all who waited could be accepted")
                return False
            except OSError as error:
                if error.errno in _SHORTAGES:
                    self._note_shortage(error)
                    return False
                if error.errno not in _OF_ONE_CONNECTION:
                    raise
            else:
                self._admit(sock, host_of(name))
            if self._turns.is_over:
                return True

    def _admit(self, sock: socket.socket, host: str) -> None:
        try:
            place = self._places.enter(host)
        except Problem as problem:
            with sock, suppress(OSError):
                sock.send(self._refuse(host, problem), socket.MSG_DONTWAIT)  # an unused connection has room for it
        else:
            place.discard = sock.close
            self._lines.setdefault(place.client or host, deque()).append((sock, place))

    def _begin_next(self) -> None:
        """The first of a line who is still in; that client's others wait until all other clients had one."""
        if not self._lines:
            return
        client, line = self._lines.popitem(last=False)
        while line:
            sock, place = line.popleft()
            if place in self._places:
                place.discard = None
                self._begin(sock, place)
                break
        if line:
            self._lines[client] = line

    def _note_shortage(self, error: OSError) -> None:
        """Once in an outage: it lasts until all who waited were accepted."""
        if not self._is_short:
            self._is_short = True
            what = errno.errorcode[error.errno or 0]
            logger.error("connections wait: accept says %s (%s)", what, os.strerror(error.errno or 0))


def host_of(name: Any) -> str:
    """Of a socket's name, the IP address in canonical form; empty if it has none."""
    return normal_host(str(name[0])) if isinstance(name, tuple) else ""
