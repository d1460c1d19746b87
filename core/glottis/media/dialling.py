"""Streams of a caller to where its gateway listens: active candidates (RFC 6544), which gateways have none of."""

import socket
from collections.abc import Callable
from typing import Final

import trio

from glottis.media.link import Sender
from glottis.media.stream_link import StreamEndpoint, StreamLink
from glottis.sdp.candidate import DISCARD_PORT
from glottis.wire.address import Address
from glottis.wire.demux import is_stun_request

CONNECT_TIME: Final = 10.0
"""Seconds for a connection to come about; ICE waits no longer."""
MAX_DIALLED: Final = 16
"""Connections that are being made at once: as many as there are remote candidates."""
MAX_WAITING: Final = 8
"""Datagrams that wait for one; further ones are dropped."""


class Diallers:
    """From each address that is added one connects where checks are to go. ``run`` works until cancelled."""

    def __init__(self, endpoint: StreamEndpoint) -> None:
        self._endpoint = endpoint
        self._nursery: trio.Nursery | None = None

    def add(self, host: str) -> Address:
        """From another address of this machine; returns the base of an active candidate."""
        dialler = _Dialler(Address(host, DISCARD_PORT), self._endpoint, lambda: self._nursery)
        self._endpoint.attach(dialler)
        return dialler.address

    async def run(self) -> None:
        """Connect where that is wanted, until cancelled."""
        async with trio.open_nursery() as self._nursery:
            await trio.sleep_forever()


class _Dialler(StreamLink):
    def __init__(self, address: Address, endpoint: StreamEndpoint, nursery: Callable[[], trio.Nursery | None]) -> None:
        super().__init__(address, endpoint)
        self._waiting: dict[Address, list[bytes]] = {}
        self._nursery = nursery

    def send(self, data: bytes, remote: Address, sender: Sender) -> None:
        """See ``Link``. A new connection begins with a check, for that says whose it is."""
        waiting, nursery = self._waiting.get(remote), self._nursery()
        if waiting is not None and len(waiting) < MAX_WAITING:
            waiting.append(data)
        elif waiting is not None or remote in self._streams or nursery is None or not is_stun_request(data):
            super().send(data, remote, sender)
        elif len(self._waiting) < MAX_DIALLED:
            self._waiting[remote] = [data]
            nursery.start_soon(self._dial, remote)

    async def _dial(self, remote: Address) -> None:
        try:
            with trio.fail_after(CONNECT_TIME):
                stream = await _connect(self.address.host, remote)
        except (OSError, trio.TooSlowError):
            del self._waiting[remote]  # the check is repeated, and then it is tried anew
            return
        waiting = self._waiting.pop(remote)
        async with stream:
            await self.carry(stream, remote, lambda data: True, *waiting)


async def _connect(host: str, remote: Address) -> trio.SocketStream:
    """Raises ``OSError``."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = trio.socket.socket(family, socket.SOCK_STREAM)
    try:
        await sock.bind((host, 0))
        await sock.connect(remote)
    except BaseException:
        sock.close()
        raise
    return trio.SocketStream(sock)
