"""The auth scheme ``anonymous``: whoever is on the gateway's own machine may create sessions."""

import ipaddress
import re
from collections.abc import Sequence
from typing import Final

from glottis import AuthRequest, AuthSchemeSpec, Forbidden, Principal, hookimpl

ANONYMOUS: Final = Principal("anonymous")
OF_CLIENTS: Final = re.compile(
    r"accept(-.*)?|sec-.*|authorization|cache-control|connection|content-(encoding|language|length|type)|cookie|dnt|expect"
    r"|host|http2-settings|if-(match|modified-since|none-match|range|unmodified-since)|keep-alive|origin|pragma"
    r"|priority|purpose|referer|save-data|te|transfer-encoding"
    r"|upgrade(-insecure-requests)?|user-agent|x-api-key|x-requested-with"
)
"""The header fields that browsers, their pages and other HTTP clients send of themselves. Any other may be what a proxy
adds: there are too many of those to list, and new ones every year."""
MAX_NAME: Final = 40
"""Characters of its name that are repeated."""
OTHER_SCHEME: Final = "configure another auth.scheme than anonymous"


class Anonymous:
    """Asks nobody for anything, but looks where a request comes from."""

    async def authenticate(self, request: AuthRequest) -> Principal | None:
        """Anyone on this machine; raises ``Forbidden`` for everyone else."""
        if not _is_loopback(request.client_host):
            raise Forbidden(f"Call from the gateway's own machine, or {OTHER_SCHEME}.")
        if (sign := _sign_of_a_proxy(request)) is not None:
            raise Forbidden(f"Call without a proxy, or {OTHER_SCHEME}: {sign}, and behind a proxy anybody could call.")
        if not _is_loopback(_host_name(request.headers.get("host", ""))):
            # as a page calls that rebinds its own name to this machine
            raise Forbidden(
                f"Call the gateway as http://127.0.0.1 or http://localhost with its port, or {OTHER_SCHEME}."
            )
        return ANONYMOUS


def _sign_of_a_proxy(request: AuthRequest) -> str | None:
    """What in a request need not be of a client itself; None if there is nothing."""
    if request.http_version != "1.1":
        return f"this is HTTP/{request.http_version}"
    strange = next((name for name in request.headers if not OF_CLIENTS.fullmatch(name)), None)
    return None if strange is None else f"there is a header {strange[:MAX_NAME]!r}"


def _host_name(host: str) -> str:
    """``Host`` (RFC 9110 §7.2) without the port, and without the brackets of an IPv6 address."""
    return host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]


def _is_loopback(host: str) -> bool:
    """Whether this is ``localhost``, ``127.0.0.0/8`` or ``::1``, also as an IPv4-mapped IPv6 address."""
    if host.lower() == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return address.is_loopback or (mapped is not None and mapped.is_loopback)


@hookimpl
def register_auth_schemes() -> Sequence[AuthSchemeSpec]:
    """The scheme ``anonymous``, which the gateway allows on loopback addresses only."""
    return [AuthSchemeSpec("anonymous", lambda settings: Anonymous(), loopback_only=True)]
