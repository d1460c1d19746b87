"""A caller's WebSocket that closes while the gateway is about something else."""

from functools import partial

import trio
from glottis.client.signaling import open_client_signaling
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection, Request


async def ping_at_the_close(stream: trio.SocketStream) -> None:
    """Accept a WebSocket, and ping the client as if its close had not come yet."""
    library = WSConnection(ConnectionType.SERVER)
    async for data in stream:
        library.receive_data(bytes(data))
        for event in library.events():
            if isinstance(event, Request):
                await stream.send_all(library.send(AcceptConnection()))
            elif isinstance(event, CloseConnection):
                empty_ping = bytes((0x80 | 0x9, 0))  # RFC 6455 §5.5.2; the library would send none any more
                await stream.send_all(empty_ping + library.send(event.response()))


async def test_the_way_is_known_while_the_handshake_goes_on(nursery: trio.Nursery) -> None:
    known = trio.Event()
    hosts: list[str] = []

    async def accept_when_known(stream: trio.SocketStream) -> None:
        await known.wait()
        await ping_at_the_close(stream)

    def connected(local_host: str) -> None:
        hosts.append(local_host)
        known.set()

    [listener] = await nursery.start(partial(trio.serve_tcp, accept_when_known, 0, host="127.0.0.1"))
    port = listener.socket.getsockname()[1]
    async with open_client_signaling(f"ws://127.0.0.1:{port}/", connected=connected) as signaling:
        assert hosts == [signaling.local_host]


async def test_a_ping_that_crosses_the_close_does_no_harm(nursery: trio.Nursery) -> None:
    [listener] = await nursery.start(partial(trio.serve_tcp, ping_at_the_close, 0, host="127.0.0.1"))
    port = listener.socket.getsockname()[1]
    async with open_client_signaling(f"ws://127.0.0.1:{port}/"):
        pass
