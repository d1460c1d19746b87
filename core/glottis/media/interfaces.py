"""Which addresses of this machine calls use: IP literals and interface names to the addresses of UDP sockets."""

import socket
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import ip_address

from glottis.contracts.errors import ConfigurationError
from glottis.wire.address import Address


def media_addresses(configured: Iterable[str], server_host: str) -> list[str]:
    """The IP addresses to bind, each once, in order of preference.

    ``configured`` holds IP literals and interface names; when it is empty, the server's host if that is one address,
    else every address of the machine but loopback and link-local ones. Raises ``ConfigurationError``.
    """
    names = list(configured)
    if not names:
        names = [server_host] if _is_specific(server_host) else _usable_addresses()
    addresses = [address for index, name in enumerate(names) for address in _resolve(index, name)]
    if not addresses:
        raise ConfigurationError("media.addresses: this machine has no address that calls could use: name one")
    return list(dict.fromkeys(addresses))


def announced_addresses(
    bound: Sequence[Address], advertised: Iterable[tuple[str, int | None]], *, bound_too: bool
) -> dict[Address, list[Address]]:
    """By bound address: what clients are told in its place, with itself first if ``bound_too``.

    ``advertised`` are hosts, and ports where they are not the bound one. They lead to the first bound address of their
    family. Raises ``ConfigurationError`` if there is none.
    """
    announced = {base: [base] if bound_too else [] for base in bound}
    for index, (host, port) in enumerate(advertised):
        base = next((base for base in bound if (":" in base.host) == (":" in host)), None)
        if base is None:
            family = "IPv6" if ":" in host else "IPv4"
            raise ConfigurationError(
                f"media.advertised_addresses[{index}]: media has no {family} address that this could lead to"
            )
        address = Address(host, base.port if port is None else port)
        if address not in announced[base]:
            announced[base].append(address)
    return announced


def _is_specific(host: str) -> bool:
    try:
        return not ip_address(host).is_unspecified
    except ValueError:
        return True


def _resolve(index: int, name: str) -> list[str]:
    try:
        return [str(ip_address(name))]
    except ValueError:
        pass
    if name == "localhost":
        return ["127.0.0.1"]
    found = [
        address for interface, address in _interfaces() if interface == name and not ip_address(address).is_link_local
    ]
    if found:
        return found
    try:
        return [str(info[4][0]) for info in socket.getaddrinfo(name, None, type=socket.SOCK_DGRAM)][:1]
    except OSError:
        known = ", ".join(sorted({interface for interface, _ in _interfaces()}))
        raise ConfigurationError(
            f"media.addresses[{index}]: no interface or host is called {name!r}; interfaces: {known}"
        ) from None


def _usable_addresses() -> list[str]:
    """IPv6 first, as RFC 8421 §4 advises."""
    usable = [
        address
        for _, address in _interfaces()
        if not (ip_address(address).is_loopback or ip_address(address).is_link_local)
    ]
    return sorted(usable, key=lambda address: ip_address(address).version, reverse=True)


def _interfaces() -> Iterator[tuple[str, str]]:
    """Their names, each with each of its addresses."""
    import ifaddr  # late: it runs a program to find the C library, and who is told addresses need not wait for that

    for adapter in ifaddr.get_adapters():
        for ip in adapter.ips:
            yield adapter.name, str(ip.ip if ip.is_IPv4 else ip.ip[0])
