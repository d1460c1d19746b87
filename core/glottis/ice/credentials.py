"""The short-term credentials of both agents, RFC 8445 §5.3 and §7.2.2."""

import random
from base64 import b64encode
from typing import Final

from glottis.wire.discreet import Discreet

UFRAG_LENGTH: Final = 8
"""Characters of 6 bits; RFC 8445 §5.3 wants 24 bits, and a gateway tells its sessions apart by them."""
PASSWORD_LENGTH: Final = 24
"""RFC 8445 §5.3 wants 128 bits, which is 22 characters."""


class Credentials(Discreet, frozen=True):
    """One agent's user name fragment and the password that checks sent to it are signed with."""

    hidden = frozenset({"password"})

    ufrag: str
    password: str

    @property
    def key(self) -> bytes:
        """The HMAC key of short-term credentials, RFC 8489 §9.1.1; ICE characters need no preparation."""
        return self.password.encode("ascii")


def generate_credentials(rng: random.Random) -> Credentials:
    """New credentials; ``rng`` must be unpredictable in production."""
    # The characters of base64 are those of ICE (RFC 8839 §5.4).
    text = b64encode(rng.randbytes((UFRAG_LENGTH + PASSWORD_LENGTH) * 6 // 8)).decode()
    return Credentials(text[:UFRAG_LENGTH], text[UFRAG_LENGTH:])
