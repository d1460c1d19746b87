"""Recognises API keys."""

import hashlib
import hmac
from typing import Final

from glottis import AuthenticationFailed, AuthRequest, Principal

from glottis_auth_keys.settings import ApiKeysConfig

ADVICE: Final = "Send an API key that the gateway knows as 'Authorization: Bearer KEY' or 'X-API-Key: KEY'."


class ApiKeys:
    """The key comes as ``Authorization: Bearer`` (RFC 6750 §2.1) or ``X-API-Key``."""

    def __init__(self, config: ApiKeysConfig) -> None:
        self._digests = {name: bytes.fromhex(digest.reveal()) for name, digest in config.keys.items()}
        self._digests |= {name: _digest(key.reveal()) for name, key in config.plain_keys.items()}

    async def authenticate(self, request: AuthRequest) -> Principal:
        """The name of the key that the request presents; raises ``AuthenticationFailed`` without a known one."""
        presented = _presented_key(request)
        owner = None if presented is None else self._owner_of(presented)
        if owner is None:
            raise AuthenticationFailed("UNAUTHENTICATED", ADVICE)
        return owner

    def _owner_of(self, key: str) -> Principal | None:
        """Compares with every key, each in constant time, so that timing tells nothing about any of them."""
        digest = _digest(key)
        owners = [name for name, known in self._digests.items() if hmac.compare_digest(known, digest)]
        return Principal(owners[0]) if owners else None


def _presented_key(request: AuthRequest) -> str | None:
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip()
    return request.headers.get("x-api-key")


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
