"""An auth scheme behind a guard: its errors name its plugin, and what it hands over is what the contract says."""

from typing import Final

from glottis.contracts.auth import AuthRequest, AuthScheme
from glottis.contracts.checks import check_name
from glottis.contracts.errors import AuthenticationFailed, Forbidden, PluginError, RemoteError
from glottis.contracts.info import Principal
from glottis.plugins.guard import guarded_async, uncounted
from glottis.plugins.manager import Plugin

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
            uncounted(self._plugin, "the refusal of authenticate", _check_refusal, refusal)
            raise refusal.with_traceback(None) from None  # one that is raised for each request would keep them all
        if principal is None:
            return None
        if not isinstance(principal, Principal):
            kind = type(principal).__name__
            raise PluginError(f"{self._plugin}: authenticate returned {kind}, expected a Principal or None")
        uncounted(self._plugin, "the Principal of authenticate", Principal.__post_init__, principal)
        return principal


def _check_refusal(refusal: RemoteError) -> None:
    """Raises ``ValueError`` for a refusal that no client can be told."""
    check_name("code", refusal.code)
    if len(str(refusal)) > MAX_REFUSAL:
        raise ValueError(f"expected at most {MAX_REFUSAL} characters, got {len(str(refusal))}")
