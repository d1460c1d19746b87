"""One OpenSSL connection over memory BIOs, spoken to in records and messages."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL

from glottis.dtls.certificate import Certificate
from glottis.dtls.numbering import Numbering
from glottis.wire.dtls_record import MTU, DtlsRecord, split_records_untrusted
from glottis.wire.srtp_keys import SrtpKeys

_EXPORTER_LABEL: Final = b"EXTRACTOR-dtls_srtp"
"""RFC 5764 §4.2."""
_READ_ALL: Final = 2**16
"""More than any flight."""
_MAX_CLEARTEXT: Final = 2**14
"""Bytes of a record (RFC 5246 §6.2.1), so that none is read in two pieces."""


class OpenSslError(Exception):
    """OpenSSL has given the connection up; the message is its reason."""


class CloseNotify(Exception):
    """The peer has closed the connection in order."""


class Connection:
    """A client or server connection; errors are ``OpenSslError`` and final."""

    def __init__(self, certificate: Certificate, *, client: bool) -> None:
        self._client = client
        self._profiles = certificate.profiles
        # Anyone can forge an unprotected record numbered far ahead, which would make all others too old to be read. To
        # number them by arrival lets replays in, but handshake messages have numbers of their own.
        self._arrivals = Numbering()
        self._ssl = SSL.Connection(certificate.context, None)
        self._ssl.set_ciphertext_mtu(MTU)  # before the handshake, which fails otherwise
        if client:
            self._ssl.set_connect_state()
        else:
            self._ssl.set_accept_state()

    def feed(self, records: Iterable[DtlsRecord]) -> None:
        """Give it records of one datagram. Drain it before the next: the BIO keeps no boundaries between datagrams."""
        data = b"".join(self._arrivals.apply(record).data for record in records)
        if data:  # the BIO takes nothing for an error
            self._ssl.bio_write(data)

    def take_records(self) -> list[DtlsRecord]:
        """What it has to send since the last call."""
        try:
            return split_records_untrusted(self._ssl.bio_read(_READ_ALL))
        except SSL.WantReadError:
            return []

    def advance_handshake(self) -> bool:
        """Take the handshake as far as what was fed allows; says whether it is complete."""
        try:
            self._ssl.do_handshake()
        except SSL.WantReadError:
            return False
        except SSL.Error as error:
            raise OpenSslError(_reason(error)) from None
        return True

    def resend_flight(self) -> list[DtlsRecord]:
        """The last flight under new record numbers, where OpenSSL's own clock allows: after a second, then two …"""
        return self.take_records() if self._ssl.DTLSv1_handle_timeout() else []

    def receive(self) -> Iterator[bytes]:
        """The application data that was fed, one item for each record. May end with ``CloseNotify``."""
        while True:
            try:
                data = self._ssl.recv(_MAX_CLEARTEXT)
            except SSL.WantReadError:
                return
            except SSL.ZeroReturnError:
                raise CloseNotify from None
            except SSL.Error as error:
                raise OpenSslError(_reason(error)) from None
            yield data

    def send(self, data: bytes) -> None:
        """Make a record of application data."""
        self._ssl.send(data)

    def close(self) -> None:
        """Make a close_notify alert, unless a fatal alert has gone before."""
        with suppress(SSL.Error):
            self._ssl.shutdown()

    def peer_certificate(self) -> bytes:
        """The peer's certificate in DER; the handshake is complete, so there is one."""
        certificate = self._ssl.get_peer_certificate(as_cryptography=True)
        assert certificate is not None
        return certificate.public_bytes(Encoding.DER)

    def export_srtp_keys(self) -> SrtpKeys | None:
        """The keys of the negotiated profile, None without one (RFC 5764 §4.2)."""
        selected = self._ssl.get_selected_srtp_profile()
        profile = next((profile for profile in self._profiles if profile.openssl_name == selected), None)
        if profile is None:
            return None
        key, salt = profile.key_length, profile.salt_length
        material = self._ssl.export_keying_material(_EXPORTER_LABEL, 2 * (key + salt))
        client_key, server_key = material[:key], material[key : 2 * key]
        client_salt, server_salt = material[2 * key : 2 * key + salt], material[2 * key + salt :]
        if self._client:
            return SrtpKeys(profile, client_key, client_salt, server_key, server_salt)
        return SrtpKeys(profile, server_key, server_salt, client_key, client_salt)


def _reason(error: SSL.Error) -> str:
    """OpenSSL's words for its newest error; they are fixed texts and quote no input."""
    entries = error.args[0] if error.args else ()
    if isinstance(entries, list) and entries:
        return str(entries[-1][-1])
    return type(error).__name__
