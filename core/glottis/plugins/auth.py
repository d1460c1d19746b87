"""An auth scheme behind a guard: its errors name its plugin, and what it hands over is what the contract says."""

import inspect
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from glottis.contracts.auth import MAX_TOKEN_LENGTH, AuthRequest, AuthScheme, TokenClaims
from glottis.contracts.errors import AuthenticationFailed, Forbidden, PluginError
from glottis.contracts.info import Principal
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
        with self._blame("authenticate", AuthenticationFailed, Forbidden):
            answer: object = self._scheme.authenticate(request)
            if not inspect.isawaitable(answer):
                raise TypeError("it must be async")
            principal: object = await answer
        if principal is None:
            return None
        if not isinstance(principal, Principal):
            raise self._returned("authenticate", f"{type(principal).__name__}, expected a Principal or None")
        return principal

    def issue(self, claims: TokenClaims) -> str:
        """See ``AuthScheme``."""
        with self._blame("issue"):
            token: object = self._scheme.issue(claims)
        if not isinstance(token, str):
            raise self._returned("issue", f"{type(token).__name__}, expected a string")
        if not _TOKEN.fullmatch(token):
            expected = f"1 to {MAX_TOKEN_LENGTH} letters, digits and characters of -._~"
            raise self._returned("issue", f"a token that is not URL-safe, expected {expected}")
        return token

    def verify(self, token: str, now: float) -> TokenClaims:
        """See ``AuthScheme``."""
        with self._blame("verify", AuthenticationFailed):
            claims: object = self._scheme.verify(token, now)
        if not isinstance(claims, TokenClaims):
            raise self._returned("verify", f"{type(claims).__name__}, expected TokenClaims")
        return claims

    @contextmanager
    def _blame(self, method: str, *allowed: type[Exception]) -> Iterator[None]:
        """For a call of a method that may raise the ``allowed`` errors."""
        try:
            yield
        except allowed:
            raise
        except (Exception, SystemExit) as error:  # a plugin's SystemExit is its own
            raise PluginError(f"{self._plugin}: {method} raised {type(error).__name__}: {error}") from error

    def _returned(self, method: str, what: str) -> PluginError:
        return PluginError(f"{self._plugin}: {method} returned {what}")
