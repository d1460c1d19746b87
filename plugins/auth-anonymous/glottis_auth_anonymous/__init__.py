"""The auth scheme ``anonymous``: whoever is on the gateway's own machine may create sessions."""

import ipaddress
import secrets
from collections.abc import Sequence
from typing import Final

from glottis import AuthRequest, AuthSchemeSpec, Forbidden, HmacTokens, Principal, TokenClaims, hookimpl

ANONYMOUS: Final = Principal("anonymous")
FORWARDED: Final = frozenset({"forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip"})
"""Headers that proxies add."""
OTHER_SCHEME: Final = "configure another auth.scheme than anonymous"


class Anonymous:
    """Session tokens are signed with a secret of this process: they die with it, as its sessions do."""

    def __init__(self) -> None:
        self._tokens = HmacTokens(secrets.token_bytes(32))

    async def authenticate(self, request: AuthRequest) -> Principal | None:
        """Anyone on this machine; raises ``Forbidden`` for everyone else."""
        if not _is_loopback(request.client_host):
            raise Forbidden(f"Call from the gateway's own machine, or {OTHER_SCHEME}.")
        if FORWARDED & request.headers.keys():
            raise Forbidden(f"Call without a proxy, or {OTHER_SCHEME}: behind one anybody could call.")
        if not _is_loopback(_host_name(request.headers.get("host", "localhost"))):
            # as a page calls that rebinds its own name to this machine
            raise Forbidden(
                f"Call the gateway as http://127.0.0.1 or http://localhost with its port, or {OTHER_SCHEME}."
            )
        return ANONYMOUS

    def issue(self, claims: TokenClaims) -> str:
        """See ``AuthScheme.issue``."""
        return self._tokens.issue(claims)

    def verify(self, token: str, now: float) -> TokenClaims:
        """See ``AuthScheme.verify``."""
        return self._tokens.verify(token, now)


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
