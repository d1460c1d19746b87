"""Who asks, as the deployment's auth scheme recognises them: the same for each route that is not for everybody."""

import math
from collections.abc import Collection

import trio

from glottis.contracts.auth import AuthRequest, AuthScheme
from glottis.contracts.errors import AuthenticationFailed, Forbidden, GlottisError
from glottis.contracts.info import Principal
from glottis.server.http.message import Request
from glottis.server.http.problem import Problem
from glottis.server.http.rate_limit import Limiter


class Authentication:
    """Limits how often a client asks, so that nobody can try keys, and refuses whom the scheme does not know.

    ``operators`` are names of principals.
    """

    def __init__(self, scheme: AuthScheme, rate_limiter: Limiter, operators: Collection[str] = ()) -> None:
        self._scheme = scheme
        self._rate_limiter = rate_limiter
        self._operators = operators

    async def limit(self, request: Request) -> None:
        """Count the request; raises ``Problem`` 429 if its client asks too often."""
        check_wait(await self._rate_limiter.ask(request.client_host, trio.current_time()))

    async def principal_of(self, request: Request) -> Principal:
        """Raises ``Problem`` 401, 403 or 429."""
        await self.limit(request)
        return await self.caller_of(request, None)

    async def caller_of(self, request: Request, campaign_id: str | None) -> Principal:
        """Who asks for a session of this campaign; after ``limit``. Raises ``Problem`` 401 or 403."""
        auth_request = AuthRequest(
            request.method, request.path, request.headers, request.client_host, request.http_version, campaign_id
        )
        try:
            principal = await self._scheme.authenticate(auth_request)
        except Forbidden as error:
            detail = _sentence(error) or "Use credentials that may create sessions."
            raise Problem(403, error.code, detail) from None
        except AuthenticationFailed as error:
            raise _unauthenticated(_sentence(error)) from None
        if principal is None:
            raise _unauthenticated()
        return principal

    def is_operator(self, principal: Principal) -> bool:
        """Whether the configuration names this one."""
        return principal.name in self._operators

    async def operator_of(self, request: Request) -> Principal:
        """The same for what only operators may see; raises ``Problem`` 403 for others."""
        principal = await self.principal_of(request)
        if not self.is_operator(principal):
            raise Problem(
                403, "FORBIDDEN", "Use credentials of an operator, as auth.operators of the gateway lists them."
            )
        return principal


def check_wait(seconds: float) -> None:
    """Raises ``Problem`` 429 for a client that has to wait so long until it may ask."""
    if seconds:
        retry_after = (("retry-after", str(math.ceil(seconds))),)
        raise Problem(429, "RATE_LIMITED", f"Wait {math.ceil(seconds)} seconds, then try again.", retry_after)


def _unauthenticated(detail: str = "") -> Problem:
    challenge = (("www-authenticate", 'Bearer realm="glottis"'),)
    return Problem(401, "UNAUTHENTICATED", detail or "Send credentials that the gateway knows.", challenge)


def _sentence(error: GlottisError) -> str:
    """What an auth scheme says, with a full stop; empty if it says nothing.

    It may quote a header, whose bytes need not be UTF-8, as JSON must.
    """
    text = str(error).rstrip(".").encode(errors="replace").decode()
    return text and f"{text}."
