"""SRTP protection profiles and the keys that a DTLS handshake yields for them (RFC 5764 §4)."""

from typing import Final

import msgspec

from glottis.wire.discreet import Discreet


class SrtpProfile(msgspec.Struct, frozen=True):
    """A protection profile: its IANA name, OpenSSL's name for it, and lengths in bytes."""

    name: str
    openssl_name: bytes
    key_length: int
    salt_length: int
    tag_length: int
    """What authentication adds to a packet; SRTCP adds four bytes of index beside it."""


AEAD_AES_128_GCM: Final = SrtpProfile("SRTP_AEAD_AES_128_GCM", b"SRTP_AEAD_AES_128_GCM", 16, 12, 16)
AEAD_AES_256_GCM: Final = SrtpProfile("SRTP_AEAD_AES_256_GCM", b"SRTP_AEAD_AES_256_GCM", 32, 12, 16)
AES128_CM_HMAC_SHA1_80: Final = SrtpProfile("SRTP_AES128_CM_HMAC_SHA1_80", b"SRTP_AES128_CM_SHA1_80", 16, 14, 10)

SRTP_PROFILES: Final = (AEAD_AES_128_GCM, AEAD_AES_256_GCM, AES128_CM_HMAC_SHA1_80)
"""What glottis offers and accepts, preferred first: AEAD costs least where the processor has AES instructions."""


class SrtpKeys(Discreet, frozen=True):
    """Master keys and salts: ``local`` ones protect what we send, ``remote`` ones what the peer sends."""

    hidden = frozenset({"local_key", "local_salt", "remote_key", "remote_salt"})

    profile: SrtpProfile
    local_key: bytes
    local_salt: bytes
    remote_key: bytes
    remote_salt: bytes
