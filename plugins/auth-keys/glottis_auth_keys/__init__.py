"""The auth scheme ``api-keys``: API keys create sessions."""

from collections.abc import Sequence

from glottis import AuthSchemeSpec, hookimpl

from glottis_auth_keys.scheme import ApiKeys
from glottis_auth_keys.settings import ApiKeysConfig

__all__ = ["ApiKeys", "ApiKeysConfig"]


@hookimpl
def register_auth_schemes() -> Sequence[AuthSchemeSpec]:
    """The scheme ``api-keys``."""
    return [AuthSchemeSpec("api-keys", ApiKeys, ApiKeysConfig)]
