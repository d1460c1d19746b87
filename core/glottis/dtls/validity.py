"""When a certificate is valid (RFC 5280 §4.1.2.5)."""

from datetime import datetime

from cryptography import x509


def validity(pem: bytes) -> tuple[datetime, datetime]:
    """From when until when the first certificate is; raises ``ValueError`` where it cannot be read."""
    leaf = x509.load_pem_x509_certificates(pem)[0]
    return leaf.not_valid_before_utc, leaf.not_valid_after_utc
