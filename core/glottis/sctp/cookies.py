"""The state cookie (RFC 9260 §5.1.3): what an INIT said, signed, so that nothing need be remembered."""

import hmac
from random import Random
from struct import Struct
from typing import Final

import msgspec
from msgspec.structs import astuple

from glottis.contracts.errors import Malformed
from glottis.sctp.tcb import Peer

_BODY: Final = Struct("!dIIIIIIH???")


class Cookie(msgspec.Struct, frozen=True):
    """The content of a state cookie."""

    created_at: float
    """Monotonic seconds."""
    local_tag: int
    """The tag that the INIT ACK beside it promised."""
    tie_tags: tuple[int, int]
    """Our and the peer's tag of the association that existed already, or zeros (§5.2.2)."""
    peer: Peer


class CookieJar:
    """Seals and opens the cookies of one endpoint."""

    def __init__(self, rng: Random) -> None:
        self._key = rng.randbytes(32)

    def seal(self, cookie: Cookie) -> bytes:
        """The cookie as the peer will carry it."""
        body = _BODY.pack(cookie.created_at, cookie.local_tag, *cookie.tie_tags, *astuple(cookie.peer))
        return body + self._sign(body)

    def open_untrusted(self, data: bytes) -> Cookie:
        """The cookie in a COOKIE ECHO; ``Malformed`` if we did not seal it."""
        body, signature = data[: _BODY.size], data[_BODY.size :]
        if len(body) != _BODY.size or not hmac.compare_digest(self._sign(body), signature):
            raise Malformed("a state cookie is not one of ours")
        created_at, local_tag, our_tie, their_tie, *peer = _BODY.unpack(body)
        return Cookie(created_at, local_tag, (our_tie, their_tie), Peer(*peer))

    def _sign(self, body: bytes) -> bytes:
        return hmac.digest(self._key, body, "sha256")
