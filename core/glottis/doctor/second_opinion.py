"""What aioice's own client says of a server, so that one sees whether the server or glottis is at fault.

It runs on asyncio, so in a thread of its own. With the extra ``doctor``; without it there is no second opinion.
"""

import asyncio
import ssl
from importlib.util import find_spec
from typing import Any, Final

import trio

from glottis.barrier import stop
from glottis.contracts.ice_servers import IceServer, IceUri
from glottis.wire.address import Address

GRACE: Final = 1.0
"""Seconds that the thread has beyond its patience."""


async def second_opinion(uri: IceUri, address: Address, server: IceServer, patience: float) -> str:
    """A sentence."""
    if find_spec("aioice") is None:
        return "For a second opinion install glottis[doctor]"
    with trio.move_on_after(patience + GRACE):
        return await trio.to_thread.run_sync(_ask, uri, address, server, patience, abandon_on_cancel=True)
    return "aioice has no answer either"


def _ask(uri: IceUri, address: Address, server: IceServer, patience: float) -> str:
    told: list[str] = []
    try:
        asked = _stun(address) if uri.scheme == "stun" else _turn(uri, address, server)
        return f"aioice is served, so glottis may be at fault: {asyncio.run(asyncio.wait_for(asked, patience))}"
    except BaseException as error:
        stop(error, lambda failure: told.append(_words(failure)))
    return f"aioice fails as well, so it is the server or the way there: {told[0]}"


def _words(failure: BaseException) -> str:
    if isinstance(failure, TimeoutError):
        return "no answer"
    return (str(failure) or type(failure).__name__).rstrip(".")


async def _stun(server: Address) -> str:
    import aioice.stun  # of the extra

    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(_StunClient, remote_addr=server)
    try:
        request = aioice.stun.Message(
            message_method=aioice.stun.Method.BINDING, message_class=aioice.stun.Class.REQUEST
        )
        transport.sendto(bytes(request))
        response = aioice.stun.parse_message(await protocol.answer)
        return f"it is seen as {response.attributes['XOR-MAPPED-ADDRESS'][0]}"
    finally:
        transport.close()


class _StunClient(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        if not self.answer.done():
            self.answer.set_result(data)

    def error_received(self, exc: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(exc)


async def _turn(uri: IceUri, server: Address, credentials: IceServer) -> str:
    import aioice.turn  # of the extra

    transport, _ = await aioice.turn.create_turn_endpoint(
        asyncio.DatagramProtocol,
        server_addr=(server.host, server.port),
        username=credentials.username,
        password=credentials.credential,
        ssl=ssl.create_default_context() if uri.scheme == "turns" else None,
        transport=uri.transport,
    )
    relayed = transport.get_extra_info("sockname")
    transport.close()
    return f"it is lent {relayed[0]}"
