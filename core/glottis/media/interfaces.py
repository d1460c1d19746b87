"""Which addresses of this machine calls use: IP literals and interface names to the addresses of UDP sockets."""

import socket
from collections.abc import Iterable
from ipaddress import ip_address

import ifaddr

from glottis.contracts.errors import ConfigurationError


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
        str(ip)
        for adapter in ifaddr.get_adapters()
        if adapter.name == name
        for ip in _addresses_of(adapter)
        if not ip_address(ip).is_link_local
    ]
    if found:
        return found
    try:
        return [str(info[4][0]) for info in socket.getaddrinfo(name, None, type=socket.SOCK_DGRAM)][:1]
    except OSError:
        known = ", ".join(sorted(adapter.name for adapter in ifaddr.get_adapters()))
        raise ConfigurationError(
            f"media.addresses[{index}]: no interface or host is called {name!r}; interfaces: {known}"
        ) from None


def _usable_addresses() -> list[str]:
    """IPv6 first, as RFC 8421 §4 advises."""
    addresses = [address for adapter in ifaddr.get_adapters() for address in _addresses_of(adapter)]
    usable = [
        address for address in addresses if not (ip_address(address).is_loopback or ip_address(address).is_link_local)
    ]
    return sorted(usable, key=lambda address: ip_address(address).version, reverse=True)


def _addresses_of(adapter: ifaddr.Adapter) -> list[str]:
    return [str(ip.ip if ip.is_IPv4 else ip.ip[0]) for ip in adapter.ips]
