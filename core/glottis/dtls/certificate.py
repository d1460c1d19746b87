"""The process's certificate, and certificates' fingerprints (RFC 8122)."""

import hashlib
import hmac
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL

from glottis.dtls.context import PrivateKey, create_context
from glottis.sdp import Fingerprint
from glottis.wire.srtp_keys import SRTP_PROFILES, SrtpProfile

HASH_ALGORITHMS: Final = ("sha-512", "sha-384", "sha-256")
"""Strongest first. RFC 8122 §5 forbids MD5; SHA-1 is too weak to bind a key to a call."""

_VALIDITY: Final = timedelta(days=365)
"""Peers look at the fingerprint only; a year outlives any process that makes a certificate at its start."""
_CLOCK_SKEW: Final = timedelta(days=1)


class Certificate:
    """A key with its self-signed certificate, and the OpenSSL context made of them. Immutable; share it."""

    def __init__(
        self, key: PrivateKey, certificate: x509.Certificate, profiles: Sequence[SrtpProfile] = SRTP_PROFILES
    ) -> None:
        self.profiles = tuple(profiles)
        self.der: Final = certificate.public_bytes(Encoding.DER)
        self.fingerprint: Final = fingerprint_of(self.der, "sha-256")
        self.context: Final[SSL.Context] = create_context(key, certificate, profiles)

    @classmethod
    def generate(cls, key: PrivateKey | None = None, profiles: Sequence[SrtpProfile] = SRTP_PROFILES) -> Self:
        """Make a certificate for ``key``, or for a new ECDSA P-256 key (RFC 8827 §6.5).

        The one place of the engines that reads the clock and the system's randomness: once, at start-up.
        """
        key = key or ec.generate_private_key(ec.SECP256R1())
        return cls(key, _self_sign(key, datetime.now(UTC)), profiles)


def _self_sign(key: PrivateKey, now: datetime) -> x509.Certificate:
    # A name that says nothing: the certificate is seen before the call is private (RFC 8827 §6.5).
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "WebRTC")])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + _VALIDITY)
        .sign(key, hashes.SHA256())
    )


def fingerprint_of(certificate_der: bytes, algorithm: str) -> Fingerprint:
    """The fingerprint of a DER certificate by one of ``HASH_ALGORITHMS``."""
    digest = hashlib.new(algorithm.replace("-", ""), certificate_der).digest()
    return Fingerprint(algorithm, digest.hex(":").upper())


def matches_fingerprint(certificate_der: bytes, fingerprints: Sequence[tuple[str, str]]) -> bool:
    """Whether a certificate is one that the peer announced, in constant time.

    RFC 8122 §5: of the announced fingerprints those of the strongest hash function count, and any of them may match.
    """
    announced = [(algorithm.lower(), value) for algorithm, value in fingerprints]
    for strongest in HASH_ALGORITHMS:
        values = [value for algorithm, value in announced if algorithm == strongest]
        if values:
            expected = fingerprint_of(certificate_der, strongest).value.encode()
            return any(hmac.compare_digest(expected, value.upper().encode()) for value in values)
    return False
