"""The desk where session tokens are issued, and redeemed once each (CONTRACT §2)."""

import secrets
import time
from collections.abc import Callable
from typing import Final

from glottis.contracts.errors import AuthenticationFailed
from glottis.contracts.info import CallInfo
from glottis.signaling.session_tokens import MIN_SECRET_BYTES, HmacTokens, TokenClaims
from glottis.signaling.session_url import SessionUrl

CONNECT: Final = "connect"
RESUME: Final = "resume"
"""The uses of a token: for the client's first WebSocket, and for each one after a loss."""


steady_time: Final = time.monotonic
"""By which tokens expire, for all processes of this machine. Nobody else reads when; and whoever sets the time of day
in the middle of a call must not end what it lives by."""


class TokenDesk:
    """Of one gateway, or of several that share it. For each session and use the token issued last is good, once.

    They are signed with a secret of its own: sessions live no longer than this process. ``clock`` is
    that of ``expires_at``.
    """

    def __init__(self, tokens: HmacTokens | None = None, clock: Callable[[], float] = steady_time) -> None:
        self._tokens = tokens if tokens is not None else HmacTokens(secrets.token_bytes(MIN_SECRET_BYTES))
        self._clock = clock
        self._nonces: dict[tuple[str, str], str] = {}
        """By session and use."""

    def __len__(self) -> int:
        return len(self._nonces)

    def key(self, purpose: str) -> bytes:
        """32 bytes for this purpose, the same for all that share the secret."""
        return self._tokens.key(purpose)

    def issue(self, info: CallInfo, use: str, expires_at: float) -> SessionUrl:
        """The URL with a token for the session's client; ``expires_at`` is by ``steady_time``."""
        nonce = secrets.token_urlsafe(12)
        claims = TokenClaims(info.session_id, info.client_identifier or "", expires_at, nonce, use)
        token = self._tokens.issue(claims)
        self._nonces[info.session_id, use] = nonce
        return SessionUrl(info.session_id, info.transport, token, resume=use == RESUME)

    def redeem(self, url: SessionUrl, info: CallInfo | None) -> None:
        """Use up the token in the URL, which is to be for this session; None if there is none, or no longer.

        Raises ``AuthenticationFailed``.
        """
        claims = self._tokens.verify(url.token, self._clock())
        if claims.session_id != url.session_id or (claims.use == RESUME) != url.resume:
            raise AuthenticationFailed(
                "TOKEN_INVALID", "The token belongs to another session or use; create a new session."
            )
        if info is None:
            raise AuthenticationFailed("SESSION_NOT_FOUND", "The session has ended; create a new one.")
        if claims.client_identifier != (info.client_identifier or ""):
            raise AuthenticationFailed("TOKEN_INVALID", "The token belongs to another client; create a new session.")
        if url.transport != info.transport:
            raise AuthenticationFailed(
                "TRANSPORT_MISMATCH", f"The session is for {info.transport}; use its URL as it is."
            )
        nonce = self._nonces.get((info.session_id, claims.use))
        if nonce is None or not secrets.compare_digest(nonce, claims.nonce):
            raise AuthenticationFailed("TOKEN_USED", "The token was used before; resume the session or create another.")
        del self._nonces[info.session_id, claims.use]

    def forget(self, session_id: str) -> None:
        """The session has ended: its tokens are good for nothing."""
        for use in (CONNECT, RESUME):
            self._nonces.pop((session_id, use), None)
