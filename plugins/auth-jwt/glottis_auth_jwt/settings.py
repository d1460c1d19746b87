"""What ``[auth.settings]`` holds for this scheme."""

from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

import msgspec
from glottis import ConfigurationError, Secret
from msgspec import Meta

MIN_SECRET_LENGTH: Final = 32
"""Bytes: the output of SHA-256 (RFC 7518 §3.2)."""

Algorithm = Literal["HS256", "RS256", "ES256", "EdDSA", "Ed25519"]
"""The last two are one algorithm, by its names in RFC 8037 and RFC 9864."""
Claim = Annotated[str, Meta(min_length=1)]


class JwtConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the scheme. One of ``secrets``, ``jwks_file`` and ``jwks_url``, at least, has keys."""

    issuer: Annotated[str, Meta(min_length=1)]
    """``iss`` of the tokens."""
    audience: Annotated[str, Meta(min_length=1)]
    """What ``aud`` of the tokens is, or has in it."""
    algorithms: tuple[Algorithm, ...] = ("HS256", "RS256", "ES256", "EdDSA", "Ed25519")
    """Those that are accepted, each for keys of its own kind only."""
    secrets: dict[str, Secret] = {}
    """For HS256, by ``kid``."""
    jwks_file: str = ""
    jwks_url: Secret | None = None
    """Secret, because there may be a key in it."""
    timeout: Annotated[float, Meta(gt=0, le=10)] = 2.0
    """Seconds for the endpoint to answer."""
    cache: Annotated[float, Meta(gt=0, le=86_400)] = 300.0
    """Seconds after which keys are looked for anew."""
    keep: Annotated[float, Meta(ge=0, le=604_800)] = 3600.0
    """Seconds for which they serve beyond that while they cannot be had."""
    skew: Annotated[int, Meta(ge=0, le=300)] = 30
    """Seconds by which clocks may differ."""
    without_clock: Literal["refuse", "accept"] = "refuse"
    """What becomes of tokens while the time of this machine is from before 2024, as of a device that has just started:
    accepted, they are good at any time."""
    name_claim: Claim = "sub"
    """The claim that names the principal."""
    campaigns_claim: Claim = "campaigns"
    """The claim that lists the campaigns that a session may be created for."""
    max_calls_claim: Claim = "max_calls"
    """The claim that says how many sessions the principal may have at a time."""
    max_call_time_claim: Claim = "max_call_time"
    """The claim that says how many seconds a call of the principal's may last."""
    attributes: tuple[Claim, ...] = ()
    """Claims that agents see as ``call.info.principal.attributes``, where they are strings."""

    def __post_init__(self) -> None:
        if not self.algorithms:
            raise ConfigurationError("algorithms: expected at least one")
        if not (self.secrets or self.jwks_file or self.jwks_url):
            raise ConfigurationError("jwks_url: expected keys by this, by jwks_file or by secrets")
        if self.jwks_file and self.jwks_url:
            raise ConfigurationError("jwks_file: there is a jwks_url, too; choose one")
        for name, secret in self.secrets.items():
            if len(secret.reveal().encode()) < MIN_SECRET_LENGTH:
                raise ConfigurationError(f"secrets.{name}: expected at least {MIN_SECRET_LENGTH} bytes")
        if self.jwks_url is not None:
            parts = urlsplit(self.jwks_url.reveal())
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise ConfigurationError("jwks_url: expected a URL such as https://app.example.org/jwks.json")
            if parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
                raise ConfigurationError("jwks_url: expected https: whoever can change the keys can make tokens")
