"""Who counts as one client where something is shared out: rates, connections, sessions."""

import ipaddress

from glottis.server.http.proxies import address_of


def client_key(host: str) -> str:
    """An IPv4 address as it is, an IPv6 network of 64 bits, which is one household; anything else unchanged."""
    address = address_of(host)
    if address is None:
        return host
    return str(address) if address.version == 4 else str(ipaddress.ip_network((int(address) >> 64 << 64, 64)))
