"""Ports: whether they can be had, and whether they are reached from the addresses of this machine."""

import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import ExitStack
from typing import Final, Literal

import msgspec
import trio

from glottis.client.connection import CallFailed, split_gateway_url
from glottis.client.requests import ask_gateway
from glottis.config import ResolvedConfig, parse_advertised_address
from glottis.contracts.errors import ConfigurationError
from glottis.doctor.findings import Finding, fail, ok, warn
from glottis.doctor.reach import connects, is_any, of_family, takes_connections, takes_datagrams
from glottis.media.interfaces import announced_addresses, media_addresses
from glottis.media.stream_listener import open_tcp_socket
from glottis.media.udp_link import open_udp_socket
from glottis.wire.address import Address

ANSWER_TIME: Final = 2.0
"""Seconds for a gateway on this machine to say that it serves."""


class Kind(msgspec.Struct, frozen=True):
    """UDP or TCP: the setting of its port, and how one is opened, and tried."""

    name: Literal["UDP", "TCP"]
    key: str
    open: Callable[[str, int], socket.socket]
    is_reached: Callable[[socket.socket, str], Awaitable[bool]]


_UDP: Final = Kind("UDP", "media.udp_port", open_udp_socket, takes_datagrams)
_TCP: Final = Kind("TCP", "media.tcp_port", open_tcp_socket, takes_connections)


async def gateway_answers(url: str) -> bool:
    """Whether a gateway serves at this URL already, whoever its certificate is for: it is told nothing."""
    anybody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
    try:
        with trio.fail_after(ANSWER_TIME):
            response, content = await ask_gateway(split_gateway_url(url), "/healthz", None, tls=anybody)
    except (CallFailed, trio.TooSlowError):
        return False
    return response.status_code == 200 and content.strip() == b"ok"


async def examine_http(config: ResolvedConfig) -> Finding:
    """The TCP port of pages, API and WebSockets."""
    host, port = config.config.server.host, config.config.server.port
    where = f"TCP {Address(host, port)}"
    try:
        listeners = await trio.open_tcp_listeners(port, host=host)
    except OSError as error:
        if not await gateway_answers(own_url(config)):
            advice = "end what has it, or set server.host and server.port to what this machine has"
            return fail("http", f"{where} cannot be had, {error.strerror or error}", advice)
        bound, what = [Address(host, port)], f"{where} is served by a gateway already"
        return await _reach_http(config, bound, what)
    try:
        bound = [Address(*listener.socket.getsockname()[:2]) for listener in listeners]
        return await _reach_http(config, bound, f"{where} is free")
    finally:
        for listener in listeners:
            await listener.aclose()


async def _reach_http(config: ResolvedConfig, bound: Sequence[Address], what: str) -> Finding:
    """``what`` is good, if each of the machine's addresses gets there that clients may come by."""
    lost = []
    for address in bound:
        hosts = of_family(_own_addresses(config), address.host) if is_any(address.host) else []
        for host in hosts:
            if not await connects(Address(host, address.port), host):
                lost.append(host)
    if not lost:
        return ok("http", what)
    return fail("http", f"{what}, but {', '.join(lost)} is not reached there", _let_in("TCP", [bound[0].port]))


def _own_addresses(config: ResolvedConfig) -> list[str]:
    """Of the machine, whichever media uses."""
    try:
        return media_addresses([], config.config.server.host)
    except ConfigurationError:
        return []  # it has loopback alone


def own_url(config: ResolvedConfig) -> str:
    """Where this machine reaches the gateway."""
    host = config.config.server.host
    local = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    return f"{config.config.server.http_scheme}://{Address(local, config.config.server.port or 1)}"


async def examine_media(config: ResolvedConfig) -> AsyncIterator[Finding]:
    """The ports of media: each is bound, and tried from each address of its family."""
    media, server = config.config.media, config.config.server
    with ExitStack() as opened:
        try:
            hosts = media_addresses(media.addresses, server.host)
            can_be_had = False
            for host in hosts:
                finding, sockets = await _examine_ports(config, _UDP, host, media.udp_port, hosts, opened)
                can_be_had = can_be_had or bool(sockets)
                yield finding
            for host in hosts if media.tcp_port is not None else ():
                finding, _ = await _examine_ports(config, _TCP, host, media.tcp_port or 0, hosts, opened)
                yield finding
            if can_be_had:
                yield _advertised(config, [Address(host, media.udp_port) for host in hosts])
        except ConfigurationError as error:
            yield fail("media", str(error), "name an address or interface that this machine has")


async def _examine_ports(
    config: ResolvedConfig, kind: Kind, host: str, first: int, hosts: Sequence[str], opened: ExitStack
) -> tuple[Finding, Sequence[socket.socket]]:
    """Those of all workers, and of as many more, which a reload begins; with the sockets, if all can be had."""
    if kind is _TCP and first and _is_of_http(config, Address(host, first)):
        return fail("media", f"TCP {Address(host, first)} is the port of HTTP, too", f"set {kind.key} to another"), ()
    workers = config.config.server.worker_count
    ports = range(first, first + 2 * workers) if first and workers > 1 else range(first, first + 1)
    sockets: list[socket.socket] = []
    for port in ports:
        try:
            sockets.append(opened.enter_context(kind.open(host, port)))
        except ConfigurationError as error:
            return await _unbound(config, kind, Address(host, port), error), ()
    lost = await _lost(kind, sockets, of_family(hosts, host))
    if not lost:
        where = f"{kind.name} {Address(host, _port_of(sockets[0]))}" + (f" to {ports[-1]}" if len(ports) > 1 else "")
        at_any = "" if first else ", at any port"
        return ok("media", f"{where} can be had, and is reached from this machine{at_any}"), sockets
    shut = sorted(lost)
    which = f" and {len(shut) - 1} more are" if len(shut) > 1 else " is"
    from_where = ", ".join(dict.fromkeys(one for port in shut for one in lost[port]))
    return fail(
        "media", f"{kind.name} {Address(host, shut[0])}{which} not reached from {from_where}", _let_in(kind.name, shut)
    ), sockets


async def _lost(kind: Kind, sockets: Sequence[socket.socket], hosts: Sequence[str]) -> dict[int, list[str]]:
    """By port, from which of the hosts it is not reached. All ports are tried at once, for that may take a second."""
    lost: dict[int, list[str]] = {}

    async def try_from_each(sock: socket.socket) -> None:
        for host in hosts:
            if not await kind.is_reached(sock, host):
                lost.setdefault(_port_of(sock), []).append(host)

    async with trio.open_nursery() as nursery:
        for sock in sockets:
            nursery.start_soon(try_from_each, sock)
    return lost


def _port_of(sock: socket.socket) -> int:
    port: int = sock.getsockname()[1]
    return port


def _is_of_http(config: ResolvedConfig, address: Address) -> bool:
    server = config.config.server
    return address.port == server.port and (is_any(server.host) or address.host == server.host)


def _let_in(name: str, ports: Sequence[int]) -> str:
    which = f"port {ports[0]}" if len(ports) == 1 else f"ports {ports[0]} to {ports[-1]}"
    return f"let {name} {which} in, in the firewall of this machine (nft list ruleset, iptables -L)"


async def _unbound(config: ResolvedConfig, kind: Kind, where: Address, error: ConfigurationError) -> Finding:
    if where.port and await gateway_answers(own_url(config)):
        return ok("media", f"{kind.name} {where} is taken, as a gateway serves already")
    return fail("media", f"{error}", f"end what has it, or change media.addresses or {kind.key}")


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
