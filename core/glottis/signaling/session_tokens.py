"""Session tokens signed with HMAC-SHA256 (RFC 2104): stateless, and nobody else can make them (CONTRACT §2)."""

import base64
import hashlib
import hmac
import re
from typing import Final

import msgspec

from glottis.contracts.checks import bytes_of
from glottis.contracts.errors import AuthenticationFailed, Malformed

MAX_TOKEN_LENGTH: Final = 4096
"""Characters; claims of a 256-character client identifier, all of them escaped, need about half."""
MIN_SECRET_BYTES: Final = 32
"""The length of SHA-256's output, below which RFC 2104 §3 discourages keys."""

_PURPOSE: Final = b"glottis session token 1."
"""Signed with the claims, so that a secret that signs other things too cannot be made to sign a token."""
_OTHER_PURPOSE: Final = b"glottis key 1."
_TOKEN: Final = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]{43})")


class TokenClaims(msgspec.Struct, frozen=True):
    """What a session token is bound to. Times are seconds since the epoch. ``use`` is ``connect`` or ``resume``.

    Tokens to resume with expire in years: the end of their session, which the gateway knows, is the end of them.
    """

    session_id: str
    client_identifier: str
    expires_at: float
    nonce: str
    use: str = "connect"


class HmacTokens:
    """Makes and checks tokens with one secret of at least 32 bytes; raises ``ValueError`` for a shorter one.

    A token is ``claims.signature``, both base64url (RFC 4648 §5) without padding, the claims being JSON. They are
    readable by whoever holds the token, and none of them is a secret.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = bytes_of("secret", secret)
        if len(self._secret) < MIN_SECRET_BYTES:
            raise ValueError(f"expected a secret of at least {MIN_SECRET_BYTES} bytes")

    def issue(self, claims: TokenClaims) -> str:
        """A token that carries these claims; its characters need no escaping in a URL."""
        payload = _base64url(msgspec.json.encode(claims))
        return f"{payload}.{self._signature(payload)}"

    def verify(self, token: str, now: float) -> TokenClaims:
        """The claims of a genuine token that has not expired at ``now``, in seconds since the epoch.

        Raises ``AuthenticationFailed`` with the code ``TOKEN_INVALID`` or ``TOKEN_EXPIRED``. The signature is compared
        in constant time, and the claims are read only after it.
        """
        try:
            payload, signature = _split_untrusted(token)
        except Malformed as error:
            raise AuthenticationFailed(
                "TOKEN_INVALID", "The token is not one of ours; create a new session."
            ) from error
        if not hmac.compare_digest(signature, self._signature(payload)):
            raise AuthenticationFailed("TOKEN_INVALID", "The token's signature is wrong; create a new session.")
        claims = msgspec.json.decode(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)), type=TokenClaims)
        if now >= claims.expires_at:
            raise AuthenticationFailed("TOKEN_EXPIRED", "The token has expired; create a new session.")
        return claims

    def key(self, purpose: str) -> bytes:
        """32 bytes for another purpose, from which nothing can be learnt of the secret."""
        return hmac.digest(self._secret, _OTHER_PURPOSE + purpose.encode(), hashlib.sha256)

    def _signature(self, payload: str) -> str:
        return _base64url(hmac.digest(self._secret, _PURPOSE + payload.encode("ascii"), hashlib.sha256))


def _split_untrusted(token: str) -> tuple[str, str]:
    """Claims and signature of a token, both still encoded; raises ``Malformed``."""
    match = _TOKEN.fullmatch(token) if len(token) <= MAX_TOKEN_LENGTH else None
    if match is None:
        raise Malformed("token: expected claims and signature in base64url, with a full stop between them")
    return match[1], match[2]


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
