"""Ports: whether they can be had, and whether datagrams come through between the addresses of this machine."""

import secrets
import socket
from collections.abc import AsyncIterator, Sequence
from typing import Final

import trio

from glottis.client.connection import CallFailed, split_gateway_url
from glottis.client.requests import ask_gateway
from glottis.config import ResolvedConfig, parse_advertised_address
from glottis.contracts.errors import ConfigurationError
from glottis.doctor.findings import Finding, fail, ok, warn
from glottis.media.interfaces import announced_addresses, media_addresses
from glottis.media.udp_link import open_udp_socket
from glottis.wire.address import Address

PROBE_TIME: Final = 1.0
"""Seconds for a datagram from one address of this machine to another."""
PROBES: Final = 3
ANSWER_TIME: Final = 2.0
"""Seconds for a gateway on this machine to say that it serves."""


async def gateway_answers(url: str) -> bool:
    """Whether a gateway serves at this URL already."""
    try:
        with trio.fail_after(ANSWER_TIME):
            response, content = await ask_gateway(split_gateway_url(url), "/healthz", None)
    except (CallFailed, trio.TooSlowError):
        return False
    return response.status_code == 200 and content.strip() == b"ok"


async def examine_http(config: ResolvedConfig) -> Finding:
    """The TCP port of pages, API and WebSockets."""
    host, port = config.config.server.host, config.config.server.port
    where = f"TCP {Address(host, port)}"
    try:
        for listener in await trio.open_tcp_listeners(port, host=host):
            await listener.aclose()
    except OSError as error:
        if await gateway_answers(own_url(config)):
            return ok("http", f"{where} is served by a gateway already")
        advice = "end what has it, or set server.host and server.port to what this machine has"
        return fail("http", f"{where} cannot be had, {error.strerror or error}", advice)
    return ok("http", f"{where} is free")


def own_url(config: ResolvedConfig) -> str:
    """Where this machine reaches the gateway."""
    host = config.config.server.host
    local = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    return f"{config.config.server.http_scheme}://{Address(local, config.config.server.port or 1)}"


async def examine_media(config: ResolvedConfig) -> AsyncIterator[Finding]:
    """The UDP ports of media: each is bound, and written to from each address of its family."""
    media, server = config.config.media, config.config.server
    sockets: list[socket.socket] = []
    try:
        hosts = media_addresses(media.addresses, server.host)
        for host in hosts:
            try:
                sockets.append(open_udp_socket(host, media.udp_port))
            except ConfigurationError as error:
                yield await _unbound(config, Address(host, media.udp_port), error)
        for sock in sockets:
            yield await _reach(sock, hosts)
        if sockets:
            yield _advertised(config, [Address(*sock.getsockname()[:2]) for sock in sockets])
    except ConfigurationError as error:
        yield fail("media", str(error), "name an address or interface that this machine has")
    finally:
        for sock in sockets:
            sock.close()


async def _unbound(config: ResolvedConfig, where: Address, error: ConfigurationError) -> Finding:
    if where.port and await gateway_answers(own_url(config)):
        return ok("media", f"UDP {where} is taken, as a gateway serves already")
    return fail("media", f"{error}", "end what has it, or change media.addresses or media.udp_port")


async def _reach(sock: socket.socket, hosts: Sequence[str]) -> Finding:
    """Write to a socket from each of the hosts, itself included."""
    where = Address(*sock.getsockname()[:2])
    lost = [host for host in hosts if (":" in host) == (":" in where.host) and not await _passes(sock, host)]
    port = "" if where.port else ", at any port"
    if not lost:
        return ok("media", f"UDP {where} can be had, and is reached from this machine{port}")
    advice = f"let UDP port {where.port} in, in the firewall of this machine (nft list ruleset, iptables -L)"
    return fail("media", f"UDP {where} is not reached from {', '.join(lost)}", advice)


async def _passes(sock: socket.socket, host: str) -> bool:
    word = secrets.token_bytes(16)
    with socket.socket(sock.family, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        try:
            sender.bind((host, 0))
            for _ in range(PROBES):
                sender.sendto(word, sock.getsockname())
        except OSError:
            return False
        with trio.move_on_after(PROBE_TIME):
            while True:
                await trio.lowlevel.wait_readable(sock)
                try:
                    if sock.recv(2048) == word:
                        return True
                except OSError:
                    continue
    return False


def _advertised(config: ResolvedConfig, bound: Sequence[Address]) -> Finding:
    """Where clients are told to send to."""
    media, server = config.config.media, config.config.server
    announced = announced_addresses(
        bound, map(parse_advertised_address, media.advertised_addresses), bound_too=media.advertise_bound_addresses
    )
    told = [address for addresses in announced.values() for address in addresses]
    names = ", ".join(address.host for address in told)
    if all(address.host.startswith("127.") or address.host == "::1" for address in told) and server.public_url:
        advice = "set media.addresses, for server.host is a loopback address"
        return fail("media", f"clients are told {names} only, while server.public_url invites others", advice)
    if not media.udp_port and not server.is_loopback:
        advice = "set media.udp_port, and open it in the firewall for UDP"
        return warn("media", f"clients are told {names}, each time at another port", advice)
    return ok("media", f"clients are told {names}")
