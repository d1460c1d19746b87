"""The sockets that a gateway opens itself, where none are passed in."""

from collections.abc import Sequence

import trio

from glottis.config import ResolvedConfig
from glottis.contracts.errors import ConfigurationError
from glottis.media.endpoint import UdpEndpoint
from glottis.media.interfaces import media_addresses
from glottis.media.stream_link import StreamEndpoint
from glottis.media.stream_listener import StreamListener
from glottis.wire.address import Address

Listeners = Sequence[trio.abc.Listener[trio.abc.HalfCloseableStream]]


def bind(config: ResolvedConfig) -> UdpEndpoint:
    """For media by UDP. Raises ``ConfigurationError``, as the others do."""
    media = config.config.media
    return UdpEndpoint.bind(media_addresses(media.addresses, config.config.server.host), media.udp_port)


def bind_streams(config: ResolvedConfig, endpoint: StreamEndpoint, addresses: Sequence[Address]) -> StreamListener:
    """For media by TCP, on the same addresses."""
    return StreamListener.bind([address.host for address in addresses], config.config.media.tcp_port, endpoint)


def url_of(host: str, port: int, listeners: Listeners, scheme: str = "http") -> str:
    """Where the first listener is reached; one that is no socket has only the configuration's word for it."""
    if isinstance(listeners[0], trio.SocketListener):
        port = listeners[0].socket.getsockname()[1]
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"


async def listen(host: str, port: int) -> list[trio.SocketListener]:
    """For HTTP."""
    try:
        return await trio.open_tcp_listeners(port, host=host)
    except OSError as error:
        raise ConfigurationError(f"server.host, server.port: cannot listen on {host} port {port}: {error}") from error
