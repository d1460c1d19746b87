"""An authority of one's own, and certificates for servers that it has signed (RFC 5280)."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Final, NamedTuple, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID

_AUTHORITY_LASTS: Final = timedelta(days=3650)
_SERVER_LASTS: Final = timedelta(days=397)
"""Some systems believe no longer ones, even of an authority that their owner has installed."""
_CLOCK_SKEW: Final = timedelta(days=1)


class Authority(NamedTuple):
    """Its key and its certificate."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def create(cls, owner: str, now: datetime) -> Self:
        """A new one, to be told from those of other owners. It signs servers only, and no further authorities."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name(f"glottis on {owner}"[:64])
        public = key.public_key()
        identifier = x509.SubjectKeyIdentifier.from_public_key(public)
        builder = _builder(name, name, public, now, now + _AUTHORITY_LASTS)
        signed = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        signed = signed.add_extension(_usage(signs_certificates=True), critical=True)
        return cls(key, signed.add_extension(identifier, critical=False).sign(key, hashes.SHA256()))

    @classmethod
    def load(cls, key: bytes, certificate: bytes) -> Self:
        """From PEM. Raises ``ValueError`` where it is none."""
        loaded = cls(load_key(key), x509.load_pem_x509_certificate(certificate))
        if loaded.certificate.public_key() != loaded.key.public_key():
            raise ValueError("the key is not that of the certificate")
        return loaded

    @property
    def pem(self) -> bytes:
        """The certificate."""
        return self.certificate.public_bytes(Encoding.PEM)

    def sign(self, key: ec.EllipticCurvePrivateKey, names: Iterable[str], now: datetime) -> bytes:
        """PEM of a certificate for a server that has this key, under these names and addresses (RFC 9525)."""
        end = min(now + _SERVER_LASTS, self.certificate.not_valid_after_utc)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        names = list(names)
        builder = _builder(_name(names[0][:64]), self.certificate.subject, key.public_key(), now, end)
        for extension, is_critical in (
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (x509.SubjectAlternativeName(list(map(_alternative, names))), False),
            (_usage(signs_certificates=False), True),
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
            (issuer, False),
        ):
            builder = builder.add_extension(extension, critical=is_critical)
        return builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM)


def new_key() -> ec.EllipticCurvePrivateKey:
    """For a server."""
    return ec.generate_private_key(ec.SECP256R1())


def load_key(pem: bytes) -> ec.EllipticCurvePrivateKey:
    """Raises ``ValueError`` for what is no such key."""
    key = load_pem_private_key(pem, None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("expected an ECDSA key")
    return key


def pem_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Without a password."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, end: datetime
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder(issuer, subject, key, x509.random_serial_number())
    return builder.not_valid_before(now - _CLOCK_SKEW).not_valid_after(end)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    no = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only"), False
    )
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        decipher_only=False,
        **no,
    )


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
