"""What a configuration asks of the parent: sockets, and the bounds that hold for all workers together."""

import math

import msgspec
from msgspec.structs import replace

from glottis.config import ResolvedConfig, parse_advertised_address
from glottis.media.interfaces import media_addresses
from glottis.server.fleet.messages import Wants


def wants_of(config: ResolvedConfig) -> Wants:
    """Raises ``ConfigurationError`` if an interface of ``media.addresses`` is none of this machine."""
    server, media = config.config.server, config.config.media
    return Wants(
        workers=server.worker_count,
        host=server.host,
        port=server.port,
        media_hosts=tuple(media_addresses(media.addresses, server.host)),
        udp_port=media.udp_port,
        tcp_port=media.tcp_port,
        max_sessions=server.most_sessions,
        max_sessions_per_client=server.max_sessions_per_client,
        max_sessions_per_minute=server.max_sessions_per_minute,
        max_requests_per_minute=config.config.routes.max_requests_per_minute,
        shutdown_grace=server.shutdown_grace,
        patience=server.worker_patience,
        queue=server.queue,
        scheme=server.http_scheme,
    )


def of_one_worker(config: ResolvedConfig, udp_port: int) -> ResolvedConfig:
    """The configuration for a worker with this UDP port: its part of the connections, and how its port is advertised.

    An advertised port is that of the first worker, and those of the others follow it as their own ports do.
    """
    server, media = config.config.server, config.config.media
    workers = server.worker_count
    server = msgspec.structs.replace(
        server,
        max_connections=math.ceil(server.max_connections / workers),
        max_connections_per_client=math.ceil(server.max_connections_per_client / workers),
    )
    offset = udp_port - media.udp_port if media.udp_port else 0
    advertised = tuple(_moved(address, offset) for address in media.advertised_addresses)
    media = msgspec.structs.replace(media, advertised_addresses=advertised)
    return replace(config, config=msgspec.structs.replace(config.config, server=server, media=media))


def _moved(advertised: str, offset: int) -> str:
    host, port = parse_advertised_address(advertised)
    if port is None:
        return advertised
    return f"[{host}]:{port + offset}" if ":" in host else f"{host}:{port + offset}"
