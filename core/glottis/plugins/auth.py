"""An auth scheme behind a guard: its errors name its plugin, and what it hands over is what the contract says."""

import re
from typing import Final

from glottis.contracts.auth import MAX_TOKEN_LENGTH, AuthRequest, AuthScheme, TokenClaims
from glottis.contracts.checks import check_name
from glottis.contracts.errors import AuthenticationFailed, Forbidden, PluginError, RemoteError
from glottis.contracts.info import Principal
from glottis.plugins.guard import guarded, guarded_async
from glottis.plugins.manager import Plugin

_TOKEN: Final = re.compile(rf"[A-Za-z0-9._~-]{{1,{MAX_TOKEN_LENGTH}}}")
"""What needs no escaping in a URL (RFC 3986 §2.3)."""
_REFUSALS: Final = (AuthenticationFailed, Forbidden)
MAX_REFUSAL: Final = 1000
"""Characters of a refusal, which is a sentence."""


class GuardedAuthScheme:
    """Does what the scheme does. Raises ``PluginError`` where the scheme breaks the contract of ``AuthScheme``."""

    def __init__(self, scheme: AuthScheme, plugin: Plugin) -> None:
        self._scheme = scheme
        self._plugin = plugin

    async def authenticate(self, request: AuthRequest) -> Principal | None:
        """See ``AuthScheme``."""
        ask = self._scheme.authenticate
        try:
            principal: object = await guarded_async(self._plugin, "authenticate", ask, request, allowed=_REFUSALS)
        except _REFUSALS as refusal:
            guarded(self._plugin, "the refusal of authenticate", _check_refusal, refusal)
            raise refusal.with_traceback(None) from None  # one that is raised for each request would keep them all
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
        try:
            claims: object = guarded(self._plugin, "verify", self._scheme.verify, token, now, allowed=allowed)
        except AuthenticationFailed as refusal:
            guarded(self._plugin, "the refusal of verify", _check_refusal, refusal)
            raise refusal.with_traceback(None) from None
        if not isinstance(claims, TokenClaims):
            raise self._returned("verify", f"{type(claims).__name__}, expected TokenClaims")
        guarded(self._plugin, "the TokenClaims of verify", TokenClaims.__post_init__, claims)
        return claims

    def _returned(self, method: str, what: str) -> PluginError:
        return PluginError(f"{self._plugin}: {method} returned {what}")


def _check_refusal(refusal: RemoteError) -> None:
    """Raises ``ValueError`` for a refusal that no client can be told."""
    check_name("code", refusal.code)
    if len(str(refusal)) > MAX_REFUSAL:
        raise ValueError(f"expected at most {MAX_REFUSAL} characters, got {len(str(refusal))}")
