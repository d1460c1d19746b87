"""The OpenSSL context that all handshakes of a process share: versions, cipher suites, profiles, MTU rules."""

from collections.abc import Sequence
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from OpenSSL import SSL

from glottis.wire.srtp_keys import SrtpProfile

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

_DTLS_1_2: Final = 0xFEFD
"""Pinned: flights, screening and the epochs of ``transport`` are those of DTLS 1.2."""

_CIPHER_SUITES: Final = b":".join(
    (
        b"ECDHE-ECDSA-AES128-GCM-SHA256",
        b"ECDHE-RSA-AES128-GCM-SHA256",  # GStreamer's certificate is RSA
        b"ECDHE-ECDSA-AES256-GCM-SHA384",
        b"ECDHE-RSA-AES256-GCM-SHA384",
        b"ECDHE-ECDSA-CHACHA20-POLY1305",
        b"ECDHE-RSA-CHACHA20-POLY1305",
    )
)
"""AEAD with forward secrecy only, as RFC 8827 §6.5 prefers; CBC would also take MTU from application data."""

_OPTIONS: Final = (
    SSL.OP_NO_QUERY_MTU  # else OpenSSL asks the memory BIO, and cuts fragments down to 256 bytes
    | SSL.OP_NO_TICKET  # nothing is resumed: a ticket would only lengthen the last flight
    | SSL.OP_NO_RENEGOTIATION
    | SSL.OP_CIPHER_SERVER_PREFERENCE
)


def create_context(key: PrivateKey, certificate: x509.Certificate, profiles: Sequence[SrtpProfile]) -> SSL.Context:
    """A context for both roles that shows ``certificate`` and offers ``profiles``, none if empty."""
    context = SSL.Context(SSL.DTLS_METHOD)
    context.set_min_proto_version(_DTLS_1_2)
    context.set_max_proto_version(_DTLS_1_2)
    context.set_options(_OPTIONS)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)  # idle connections hold no record buffers
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_cipher_list(_CIPHER_SUITES)
    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, _accept_any)
    context.use_privatekey(key)
    context.use_certificate(certificate)
    if profiles:
        context.set_tlsext_use_srtp(b":".join(profile.openssl_name for profile in profiles))
    return context


def _accept_any(*_: object) -> bool:
    """Self-signed certificates are judged by their fingerprint, after the handshake (RFC 8122 §6.2)."""
    return True
