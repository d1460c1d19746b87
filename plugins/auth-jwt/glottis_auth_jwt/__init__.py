"""The auth scheme ``jwt``: tokens that the operator's own backend signs create sessions."""

from collections.abc import Sequence

from glottis import AuthSchemeSpec, hookimpl

from glottis_auth_jwt.scheme import JwtScheme
from glottis_auth_jwt.settings import JwtConfig

__all__ = ["JwtConfig", "JwtScheme"]


@hookimpl
def register_auth_schemes() -> Sequence[AuthSchemeSpec]:
    """The scheme ``jwt``."""
    return [AuthSchemeSpec("jwt", JwtScheme, JwtConfig)]
