"""Networks that fail, for what opens connections by trio: nothing leaves the machine."""

import errno
import socket
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn

import trio
from trio.abc import HostnameResolver, SocketFactory
from trio.socket import SocketType

Network = Callable[[], None]
"""To be called within a run of trio: from then on, for this run."""


class _Refusing(SocketFactory):
    def socket(self, *of: Any, **kind: Any) -> SocketType:
        """See ``trio.abc.SocketFactory``."""
        raise OSError(errno.ENETUNREACH, "Network is unreachable")


class _Resolver(HostnameResolver):
    """Answers to no name."""

    def __init__(self, answer: Callable[[], Awaitable[NoReturn]]) -> None:
        self._answer = answer

    async def getaddrinfo(self, host: Any, port: Any, *hints: Any, **more: Any) -> Any:
        """See ``trio.abc.HostnameResolver``."""
        return await self._answer()

    async def getnameinfo(self, sockaddr: Any, flags: int) -> tuple[str, str]:
        """See ``trio.abc.HostnameResolver``."""
        return await self._answer()


def refuse() -> None:
    """No name is known, and no connection can be made."""
    trio.socket.set_custom_hostname_resolver(_Resolver(_fail))
    trio.socket.set_custom_socket_factory(_Refusing())


def hang() -> None:
    """Names are looked up for ever."""
    trio.socket.set_custom_hostname_resolver(_Resolver(_wait))
    trio.socket.set_custom_socket_factory(_Refusing())


async def _fail() -> NoReturn:
    await trio.lowlevel.checkpoint()
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


async def _wait() -> NoReturn:
    await trio.sleep_forever()
