"""An auth scheme behind a guard: its errors name its plugin, and what it hands over is what the contract says."""

import re
from typing import Final

from glottis.contracts.auth import MAX_TOKEN_LENGTH, AuthRequest, AuthScheme, TokenClaims
from glottis.contracts.errors import AuthenticationFailed, Forbidden, PluginError
from glottis.contracts.info import Principal
from glottis.plugins.guard import guarded, guarded_async
from glottis.plugins.manager import Plugin

_TOKEN: Final = re.compile(rf"[A-Za-z0-9._~-]{{1,{MAX_TOKEN_LENGTH}}}")
"""What needs no escaping in a URL (RFC 3986 §2.3)."""


class GuardedAuthScheme:
    """Does what the scheme does. Raises ``PluginError`` where the scheme breaks the contract of ``AuthScheme``."""

    def __init__(self, scheme: AuthScheme, plugin: Plugin) -> None:
        self._scheme = scheme
        self._plugin = plugin

    async def authenticate(self, request: AuthRequest) -> Principal | None:
        """See ``AuthScheme``."""
        ask, allowed = self._scheme.authenticate, (AuthenticationFailed, Forbidden)
        principal: object = await guarded_async(self._plugin, "authenticate", ask, request, allowed=allowed)
        if principal is None:
            return None
        if not isinstance(principal, Principal):
            raise self._returned("authenticate", f"{type(principal).__name__}, expected a Principal or None")
        guarded(self._plugin, "the Principal of authenticate", Principal.__post_init__, principal)
        return principal

    def issue(self, claims: TokenClaims) -> str:
        """See ``AuthScheme``."""
        token: object = guarded(self._plugin, "issue", self._scheme.issue, claims, allowed=())
        if not isinstance(token, str):
            raise self._returned("issue", f"{type(token).__name__}, expected a string")
        if not _TOKEN.fullmatch(token):
            expected = f"1 to {MAX_TOKEN_LENGTH} letters, digits and characters of -._~"
            raise self._returned("issue", f"a token that is not URL-safe, expected {expected}")
        return token

    def verify(self, token: str, now: float) -> TokenClaims:
        """See ``AuthScheme``."""
        allowed = (AuthenticationFailed,)
        claims: object = guarded(self._plugin, "verify", self._scheme.verify, token, now, allowed=allowed)
        if not isinstance(claims, TokenClaims):
            raise self._returned("verify", f"{type(claims).__name__}, expected TokenClaims")
        guarded(self._plugin, "the TokenClaims of verify", TokenClaims.__post_init__, claims)
        return claims

    def _returned(self, method: str, what: str) -> PluginError:
        return PluginError(f"{self._plugin}: {method} returned {what}")
