"""Keys that verify tokens, each bound to the algorithms of its own kind."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from glottis import Secret
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey, import_key

MAX_KEYS: Final = 64
"""Of a set; there are two while keys are rotated."""
MIN_RSA_BITS: Final = 2048
"""RFC 7518 §3.3."""
_ALGORITHMS: Final = {"RSA": ("RS256",), "P-256": ("ES256",), "Ed25519": ("EdDSA", "Ed25519")}
"""By the type of a key, or by its curve: what a token says of its algorithm chooses among these (RFC 8725 §3.1)."""


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """A key, its ``kid``, and the algorithms that it is good for."""

    kid: str | None
    key: Key
    algorithms: frozenset[str]


class KeyRing:
    """The keys that there are at the moment."""

    def __init__(self, keys: Iterable[VerificationKey] = ()) -> None:
        self._keys = tuple(keys)

    def find(self, kid: object, algorithm: object) -> VerificationKey | None:
        """The one key of this ``kid`` for this algorithm; without a ``kid``, the only one for the algorithm."""
        found = [one for one in self._keys if algorithm in one.algorithms and kid in (None, one.kid)]
        return found[0] if len(found) == 1 else None


def shared_keys(secrets: Mapping[str, Secret]) -> list[VerificationKey]:
    """The secrets that both sides know, by ``kid``."""
    return [
        VerificationKey(kid, OctKey.import_key(secret.reveal()), frozenset({"HS256"}))
        for kid, secret in secrets.items()
    ]


def read_key_set(document: bytes) -> list[VerificationKey]:
    """The public keys of a JWK set (RFC 7517 §5) that tokens can be verified with; others are skipped.

    Raises ``ValueError``, which quotes nothing of the document, if it is none or has no such key.
    """
    try:
        listed = msgspec.json.decode(document, type=dict[str, Any]).get("keys")
    except (msgspec.DecodeError, RecursionError):
        raise ValueError("expected a JWK set in JSON") from None
    if not isinstance(listed, list):
        raise ValueError("expected a JWK set with a list of keys")
    keys = list(_usable(listed[:MAX_KEYS]))
    if not keys:
        raise ValueError("expected at least one public key for RS256, ES256 or EdDSA")
    return keys


def _usable(listed: list[Any]) -> Iterator[VerificationKey]:
    for item in listed:
        algorithms = _algorithms_of(item) if isinstance(item, dict) else frozenset()
        if not algorithms:
            continue
        try:
            key = import_key(item)
        except (JoseError, ValueError, TypeError, KeyError):
            continue
        if isinstance(key, RSAKey | ECKey | OKPKey) and not _is_weak(key):
            kid = item.get("kid")
            yield VerificationKey(kid if isinstance(kid, str) else None, key, algorithms)


def _algorithms_of(item: Mapping[str, Any]) -> frozenset[str]:
    """None for a symmetric key: whoever publishes one has published what makes tokens."""
    kind = item.get("crv") if item.get("kty") in ("EC", "OKP") else item.get("kty")
    algorithms = _ALGORITHMS.get(kind, ()) if isinstance(kind, str) else ()
    operations = item.get("key_ops", ["verify"])
    if item.get("use", "sig") != "sig" or not isinstance(operations, list) or "verify" not in operations:
        return frozenset()
    return frozenset(one for one in algorithms if item.get("alg", one) in algorithms)


def _is_weak(key: Key) -> bool:
    return isinstance(key, RSAKey) and key.public_key.key_size < MIN_RSA_BITS
