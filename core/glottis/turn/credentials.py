"""Long-term credentials, RFC 8489 §9.2: what a server asks for, and how requests and responses are signed then."""

import base64
import hashlib
import re
import unicodedata
from collections.abc import Iterator
from typing import Final

from glottis.wire.discreet import Discreet
from glottis.wire.stun import Attribute, MessageClass, StunMessage, build_stun

UNAUTHENTICATED: Final = 401
STALE_NONCE: Final = 438

MD5: Final = 1
SHA256: Final = 2
"""RFC 8489 §18.5, both without parameters."""
MAX_ALGORITHMS: Final = 16
"""Of a list that a server offers; there are two."""

_EPHEMERAL: Final = re.compile(r"([0-9]{9,11})(?::.*)?", re.ASCII | re.DOTALL)
_NONCE_COOKIE: Final = b"obMatJos2"
# RFC 8489 §9.2 numbers the 24 features from the left, erratum 6290 and the sample message of appendix B.1 from the
# right. Servers of both kinds exist, so a feature is announced if either of its bits is set.
_PASSWORD_ALGORITHMS: Final = 0x800001
_USERNAME_ANONYMITY: Final = 0x400002


class LongTermCredentials(Discreet, frozen=True):
    """Whom the server knows."""

    hidden = frozenset({"password"})

    username: str
    password: str

    @property
    def expires_at(self) -> float | None:
        """In seconds since 1970, of those that are good for a time: their user name begins with it.

        See draft-uberti-behave-turn-rest §2.2; without a colon it is all of it.
        """
        match = _EPHEMERAL.fullmatch(self.username)
        return float(match[1]) if match is not None else None


class ChallengeRefused(Exception):
    """No further request answers this challenge; the message is a phrase for the owner."""


class Challenge(Discreet, frozen=True):
    """What a server asks for in a 401 or 438, together with the key that answers it."""

    hidden = frozenset({"key"})

    realm: bytes
    nonce: bytes
    identity: tuple[int, bytes]
    """USERNAME, or USERHASH where the server offers to keep it from others."""
    key: bytes
    algorithm: int
    algorithms: bytes | None
    """PASSWORD-ALGORITHMS as the server wrote it: repeated, so that it sees if somebody has changed it."""

    def sign(self, method: int, transaction_id: bytes, attributes: list[tuple[int, bytes]]) -> bytes:
        """A request that the server will believe."""
        signed = [*attributes, self.identity, (Attribute.REALM, self.realm), (Attribute.NONCE, self.nonce)]
        if self.algorithms is not None:
            signed += [
                (Attribute.PASSWORD_ALGORITHM, self.algorithm.to_bytes(2) + bytes(2)),
                (Attribute.PASSWORD_ALGORITHMS, self.algorithms),
            ]
        return build_stun(
            MessageClass.REQUEST, transaction_id, signed, method=method, key=self.key, sha256=self.has_list
        )

    def has_signed(self, response: StunMessage) -> bool:
        """Whether the response comes from who knows the password."""
        return response.is_signed_sha256_with(self.key) if self.has_list else response.is_signed_with(self.key)

    @property
    def has_list(self) -> bool:
        """Then all is signed by MESSAGE-INTEGRITY-SHA256, whatever the algorithm of the key (RFC 8489 §9.2.5)."""
        return self.algorithms is not None


def take_challenge(response: StunMessage, credentials: LongTermCredentials, answered: Challenge | None) -> Challenge:
    """Read a 401 or 438 to a request that has ``answered`` an earlier challenge, or none.

    Raises ``ChallengeRefused`` where another request would be of no use, or would weaken what protects the password.
    """
    realm = response.attributes.get(Attribute.REALM, answered.realm if answered is not None else None)
    nonce = response.attributes.get(Attribute.NONCE)
    if realm is None or nonce is None:
        raise ChallengeRefused("the server asks for credentials without a realm or nonce")
    if response.error_code == UNAUTHENTICATED and answered is not None and answered.realm == realm:
        raise ChallengeRefused("the server does not accept the credentials")
    algorithm, algorithms = _choose_algorithm(response, nonce)
    if answered is not None and answered.realm == realm and answered.has_list and algorithms is None:
        raise ChallengeRefused("the server's password algorithms were removed on the way")
    identity = (Attribute.USERNAME.value, prepared(credentials.username))
    if _features(nonce) & _USERNAME_ANONYMITY:
        identity = (Attribute.USERHASH.value, userhash(credentials.username, realm))
    key = long_term_key(credentials, realm, algorithm)
    return Challenge(realm, nonce, identity, key, algorithm, algorithms)


def long_term_key(credentials: LongTermCredentials, realm: bytes, algorithm: int) -> bytes:
    """What messages are signed with, RFC 8489 §9.2.2 and §18.5."""
    text = b":".join((prepared(credentials.username), realm, prepared(credentials.password)))
    if algorithm == SHA256:
        return hashlib.sha256(text).digest()
    return hashlib.md5(text, usedforsecurity=False).digest()


def userhash(username: str, realm: bytes) -> bytes:
    """The value of USERHASH, RFC 8489 §14.4."""
    return hashlib.sha256(prepared(username) + b":" + realm).digest()


def prepared(text: str) -> bytes:
    """OpaqueString, RFC 8265 §4.2.2: spaces of all kinds are one, and characters are composed."""
    spaced = "".join(" " if unicodedata.category(character) == "Zs" else character for character in text)
    return unicodedata.normalize("NFC", spaced).encode()


def _choose_algorithm(response: StunMessage, nonce: bytes) -> tuple[int, bytes | None]:
    """The first that both know, and the server's list; MD5 where there is none (RFC 8489 §9.2.5)."""
    offered = response.attributes.get(Attribute.PASSWORD_ALGORITHMS)
    if offered is None:
        if _features(nonce) & _PASSWORD_ALGORITHMS:
            raise ChallengeRefused("the server's password algorithms were removed on the way")
        return MD5, None
    for algorithm in _algorithms(offered):
        if algorithm in (MD5, SHA256):
            return algorithm, offered
    raise ChallengeRefused("the server knows none of our password algorithms")


def _algorithms(offered: bytes) -> Iterator[int]:
    """The numbers in PASSWORD-ALGORITHMS; each is followed by the length of its parameters, and these."""
    position = 0
    for _ in range(MAX_ALGORITHMS):
        if position + 4 > len(offered):
            return
        yield int.from_bytes(offered[position : position + 2])
        position += 4 + (int.from_bytes(offered[position + 2 : position + 4]) + 3 & ~3)


def _features(nonce: bytes) -> int:
    """The security features that the server announces in its nonce, where nobody can take them away unseen."""
    encoded = nonce[len(_NONCE_COOKIE) : len(_NONCE_COOKIE) + 4]
    if not nonce.startswith(_NONCE_COOKIE) or len(encoded) < 4:
        return 0
    try:
        return int.from_bytes(base64.b64decode(encoded, validate=True))
    except ValueError:
        return 0
