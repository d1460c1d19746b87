"""SRTP and SRTCP (RFC 3711, 7714) by libsrtp, behind walls that libsrtp and its binding lack.

The four functions run once per packet, so they do little more than look at a length and an SSRC.
"""

from typing import Final

import pylibsrtp

from glottis.contracts.errors import LocalError, Malformed
from glottis.rtp.remote_sources import RemoteSources
from glottis.wire.srtp_keys import AEAD_AES_128_GCM, AEAD_AES_256_GCM, AES128_CM_HMAC_SHA1_80, SrtpKeys

MAX_PROTECTED_LENGTH: Final = 1500
"""Bytes that pylibsrtp takes at most; it answers longer ones with ``ValueError``, not with its own error."""
MAX_RTP_PAYLOAD: Final = 1344
"""Bytes that pylibsrtp protects at most, behind a header of 12."""
MAX_SSRCS: Final = 32
"""At a time. A caller has one or two, a bridge those of its speakers; libsrtp keeps half a kilobyte for each, and slows
down with their number."""

_RTP_HEADER_LENGTH: Final = 12
_RTCP_HEADER_LENGTH: Final = 8
_SRTCP_INDEX_LENGTH: Final = 4

_LIBSRTP_PROFILES: Final = {
    AEAD_AES_128_GCM: pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
    AEAD_AES_256_GCM: pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_256_GCM,
    AES128_CM_HMAC_SHA1_80: pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
}


class Replayed(Malformed):
    """The packet is authentic, but came before or is too old to tell (RFC 3711 §3.3.2): networks duplicate."""


class SrtpSession:
    """Both directions of one DTLS association. Packets are ``bytes``, whole, header included."""

    def __init__(self, keys: SrtpKeys, *, max_ssrcs: int = MAX_SSRCS) -> None:
        profile = _LIBSRTP_PROFILES[keys.profile]
        outbound = pylibsrtp.Policy(
            keys.local_key + keys.local_salt, pylibsrtp.Policy.SSRC_ANY_OUTBOUND, srtp_profile=profile
        )
        inbound = pylibsrtp.Policy(
            keys.remote_key + keys.remote_salt, pylibsrtp.Policy.SSRC_ANY_INBOUND, srtp_profile=profile
        )
        sender, receiver = pylibsrtp.Session(outbound), pylibsrtp.Session(inbound)
        self._protect, self._protect_rtcp = sender.protect, sender.protect_rtcp
        self._unprotect, self._unprotect_rtcp = receiver.unprotect, receiver.unprotect_rtcp
        self._shortest_rtp = _RTP_HEADER_LENGTH + keys.profile.tag_length
        self._shortest_rtcp = _RTCP_HEADER_LENGTH + _SRTCP_INDEX_LENGTH + keys.profile.tag_length
        self._sources = RemoteSources(max_ssrcs, receiver.remove_stream)

    @property
    def retired_sources(self) -> int:
        """How many SSRCs of the peer have given way to others, and are refused since."""
        return self._sources.retired

    def protect(self, packet: bytes) -> bytes:
        """RTP to SRTP. ``LocalError`` for what is no RTP packet, over 1356 bytes, or a sequence number used before."""
        try:
            return self._protect(packet)
        except (pylibsrtp.Error, ValueError) as error:
            raise LocalError(f"SRTP: cannot protect a packet of {len(packet)} bytes: {error}") from None

    def protect_rtcp(self, packet: bytes) -> bytes:
        """RTCP to SRTCP. ``LocalError`` for what is no RTCP packet or over 1352 bytes."""
        try:
            return self._protect_rtcp(packet)
        except (pylibsrtp.Error, ValueError) as error:
            raise LocalError(f"SRTCP: cannot protect a packet of {len(packet)} bytes: {error}") from None

    def unprotect_untrusted(self, data: bytes, now: float) -> bytes:
        """SRTP to RTP; ``Malformed`` for what is not authentic, and its subclass ``Replayed`` for repeats."""
        if not self._shortest_rtp <= len(data) <= MAX_PROTECTED_LENGTH:
            raise Malformed(f"SRTP: {len(data)} bytes cannot be a packet")
        ssrc = data[8:12]
        is_latest = ssrc == self._sources.latest
        if not is_latest:
            self._sources.require_admissible(ssrc, now)
        try:
            packet = self._unprotect(data)
        except (pylibsrtp.Error, ValueError) as error:
            raise _malformed("SRTP", error) from None
        if not is_latest:
            self._sources.heard(ssrc, now)
        return packet

    def unprotect_rtcp_untrusted(self, data: bytes, now: float) -> bytes:
        """SRTCP to RTCP; errors as above. Its SSRCs and those of RTP share their places, as they do in libsrtp."""
        if not self._shortest_rtcp <= len(data) <= MAX_PROTECTED_LENGTH:
            raise Malformed(f"SRTCP: {len(data)} bytes cannot be a packet")
        ssrc = data[4:8]
        if ssrc != self._sources.latest:
            self._sources.require_admissible(ssrc, now)
        try:
            packet = self._unprotect_rtcp(data)
        except (pylibsrtp.Error, ValueError) as error:
            raise _malformed("SRTCP", error) from None
        if ssrc != self._sources.latest:
            self._sources.heard(ssrc, now)
        return packet


def _malformed(protocol: str, error: Exception) -> Malformed:
    kind = Replayed if str(error).startswith("replay check failed") else Malformed
    return kind(f"{protocol}: {error}")
