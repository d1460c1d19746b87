"""Who presents a valid token is its subject, within the limits that the token has."""

import time
import warnings
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from glottis import AuthenticationFailed, AuthRequest, ConfigurationError, Forbidden, GatewayInfo, Principal
from glottis.contracts.clock import EARLIEST
from joserfc import jws, jwt
from joserfc.errors import ClaimError, ExpiredTokenError, JoseError, SecurityWarning

from glottis_auth_jwt.cache import CachedKeys
from glottis_auth_jwt.keys import KeyRing, VerificationKey, read_key_set, shared_keys
from glottis_auth_jwt.settings import JwtConfig
from glottis_auth_jwt.sources import file_source, place_of, read_file, url_source

if TYPE_CHECKING:
    import httpx2

ADVICE: Final = "Send a token that this gateway accepts as 'Authorization: Bearer TOKEN'"
ANY_TIME: Final = 1 << 53
"""Seconds before and after which a time is still good."""
MAX_TOKEN: Final = 8192
"""Characters."""
_NO_TOKEN: Final = (JoseError, ValueError, TypeError, KeyError, RecursionError)
"""What the library raises for what is none."""


class JwtScheme:
    """``transport`` stands in for the network in tests, ``clock`` gives seconds since the epoch."""

    def __init__(
        self,
        config: JwtConfig,
        transport: "httpx2.AsyncBaseTransport | None" = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._config = config
        self._clock = clock
        self._registry = jws.JWSRegistry(algorithms=list(config.algorithms), strict_check_header=False)
        self._claims, self._claims_at_any_time = (
            jwt.JWTClaimsRegistry(
                now=lambda: int(clock()),
                leeway=leeway,
                exp={"essential": True},
                iss={"essential": True, "value": config.issuer},
                aud={"essential": True, "value": config.audience},
            )
            for leeway in (config.skew, ANY_TIME)
        )
        self._shared = KeyRing(shared_keys(config.secrets))
        self._keys: CachedKeys | None = None
        cached = partial(CachedKeys, timeout=config.timeout, cache=config.cache, keep=config.keep)
        if config.jwks_file:
            _check_file(config.jwks_file)
            self._keys = cached(file_source(config.jwks_file), config.jwks_file)
        elif config.jwks_url is not None:
            url = config.jwks_url.reveal()
            self._keys = cached(url_source(url, transport), place_of(url))

    def gateway_lifespan(self, gateway_info: GatewayInfo) -> AbstractAsyncContextManager[None]:
        """Keys are fetched before the first caller comes, and renewed as long as the gateway lives."""
        return self._keys.renewed() if self._keys is not None else nullcontext()

    async def authenticate(self, request: AuthRequest) -> Principal:
        """Raises ``AuthenticationFailed`` for what is no valid token, and ``Forbidden`` for another campaign's."""
        claims = await self._claims_of(_presented(request))
        self._check_campaign(claims, request.campaign_id)
        name = claims.get(self._config.name_claim)
        max_calls = claims.get(self._config.max_calls_claim)
        if max_calls is not None and (type(max_calls) is not int or max_calls < 0):
            raise _refusal(f"its claim {self._config.max_calls_claim!r} is no number of calls")
        longest = claims.get(self._config.max_call_time_claim)
        if longest is not None and (type(longest) not in (int, float) or not longest > 0):
            raise _refusal(f"its claim {self._config.max_call_time_claim!r} is no number of seconds above 0")
        attributes = {key: claims[key] for key in self._config.attributes if isinstance(claims.get(key), str)}
        try:
            return Principal(name, attributes, max_calls, longest)  # type: ignore[arg-type]  # which is checked there
        except ValueError:
            raise _refusal(f"its claim {self._config.name_claim!r} names nobody in a line") from None

    async def _claims_of(self, token: str) -> Mapping[str, Any]:
        """Of a token that is genuine, for this gateway, and good now."""
        key = await self._key_of(token)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SecurityWarning)  # that EdDSA has a newer name
                claims = jwt.decode(token, key.key, registry=self._registry).claims
        except _NO_TOKEN:
            raise _refusal("its signature is wrong") from None
        has_no_clock = self._clock() < EARLIEST
        if has_no_clock and self._config.without_clock == "refuse":
            raise _refusal("this gateway does not know the time yet, by which a token is good; try again later")
        try:
            (self._claims_at_any_time if has_no_clock else self._claims).validate(claims)
        except ExpiredTokenError:
            raise _refusal("it has expired") from None
        except ClaimError as error:
            raise _refusal(f"check its claim {error.claim!r}") from None
        return claims

    async def _key_of(self, token: str) -> VerificationKey:
        """By ``kid`` and the algorithm, which is one of the key's own kind and one of those that are accepted."""
        try:
            header = jws.extract_compact(token.encode(), registry=self._registry).headers()
            kid, algorithm = header.get("kid"), header.get("alg")
        except _NO_TOKEN:
            raise _refusal("this is no JSON Web Token") from None
        if algorithm not in self._config.algorithms:
            raise _refusal("its algorithm is not accepted")
        key = self._shared.find(kid, algorithm)
        if key is None and self._keys is not None:
            key = await self._keys.find(kid, algorithm)
        if key is None:
            raise _refusal("no key has its 'kid' and algorithm")
        return key

    def _check_campaign(self, claims: Mapping[str, Any], campaign_id: str | None) -> None:
        allowed = claims.get(self._config.campaigns_claim)
        if allowed is None:
            return
        if not isinstance(allowed, list):
            raise _refusal(f"its claim {self._config.campaigns_claim!r} is no list")
        if campaign_id is not None and campaign_id not in allowed:
            raise Forbidden(f"Use a campaign that the claim {self._config.campaigns_claim!r} of the token lists.")


def _presented(request: AuthRequest) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise AuthenticationFailed("UNAUTHENTICATED", f"{ADVICE}.")
    if len(token) > MAX_TOKEN or not token.isascii():
        raise _refusal("this is no JSON Web Token")
    return token


def _refusal(reason: str) -> AuthenticationFailed:
    return AuthenticationFailed("UNAUTHENTICATED", f"{ADVICE}: {reason}.")


def _check_file(path: str) -> None:
    """At start, while somebody looks."""
    try:
        read_key_set(read_file(path))
    except ValueError as error:
        raise ConfigurationError(f"jwks_file: {path}: {error}") from None
