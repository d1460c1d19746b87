"""The auth scheme ``anonymous``: whoever is on the gateway's own machine may create sessions."""

import ipaddress
import secrets
from collections.abc import Sequence

from glottis import AuthRequest, AuthSchemeSpec, HmacTokens, Principal, TokenClaims, hookimpl

ANONYMOUS = Principal("anonymous")


class Anonymous:
    """Session tokens are signed with a secret of this process: they die with it, as its sessions do."""

    def __init__(self) -> None:
        self._tokens = HmacTokens(secrets.token_bytes(32))

    async def authenticate(self, request: AuthRequest) -> Principal | None:
        """Anyone whose address is a loopback one."""
        return ANONYMOUS if _is_loopback(request.client_host) else None

    def issue(self, claims: TokenClaims) -> str:
        """See ``AuthScheme.issue``."""
        return self._tokens.issue(claims)

    def verify(self, token: str, now: float) -> TokenClaims:
        """See ``AuthScheme.verify``."""
        return self._tokens.verify(token, now)


def _is_loopback(host: str) -> bool:
    """Whether this is ``127.0.0.0/8`` or ``::1``, also as an IPv4-mapped IPv6 address."""
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
