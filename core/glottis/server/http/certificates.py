"""The certificate of HTTPS, read from its files, and again when they have changed."""

import logging
import os
import ssl
from datetime import UTC, datetime
from typing import Final

from glottis.contracts import clock
from glottis.contracts.errors import ConfigurationError
from glottis.dtls.validity import validity

LOOK_INTERVAL: Final = 5.0
"""Seconds in which nobody looks at the files again."""
EARLIEST: Final = datetime.fromtimestamp(clock.EARLIEST, UTC)
"""A clock before this one was not set yet: it judges no certificate."""

logger = logging.getLogger(__name__)


class Certificates:
    """What new connections are served with; those that are open keep what they have. Raises ``ConfigurationError``.

    What is wrong with renewed files is said once, and the old ones go on.
    """

    def __init__(self, certificate: str, private_key: str) -> None:
        self._files = certificate, private_key
        self._seen = _stamps(self._files)
        self._context = load(*self._files)
        self._look_at = 0.0
        for complaint in complaints(certificate, datetime.now(UTC)):
            logger.warning("server.certificate: %s", complaint)

    def context(self, now: float) -> ssl.SSLContext:
        """That of the files as they are, or were some seconds ago."""
        if now >= self._look_at:
            self._look_at = now + LOOK_INTERVAL
            self._look()
        return self._context

    def _look(self) -> None:
        seen = _stamps(self._files)
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self._context = load(*self._files)
        except ConfigurationError as error:  # one of the two may have been written only
            logger.error("%s: connections are still served with the certificate of before", error)
        else:
            logger.info("server.certificate: %s was renewed, and new connections get it", self._files[0])


def load(certificate: str, private_key: str) -> ssl.SSLContext:
    """Of a server. Raises ``ConfigurationError`` with what is to be done."""
    for key, file in (("certificate", certificate), ("private_key", private_key)):
        try:
            with open(file, "rb") as opened:
                opened.read(1)
        except OSError as error:
            raise ConfigurationError(f"server.{key}: {file} cannot be read: {error.strerror}") from None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(certificate, private_key, _no_password)
    except ssl.SSLError as error:
        if "values mismatch" in str(error).lower().replace("_", " "):
            what = f"server.private_key: {private_key} is not the key of {certificate}"
        else:
            what = f"server.certificate, server.private_key: expected PEM in {certificate} and {private_key}"
        raise ConfigurationError(what) from None
    return context


def complaints(certificate: str, now: datetime) -> list[str]:
    """What browsers will say of the first certificate of a file that ``load`` has taken, by the clock."""
    try:
        with open(certificate, "rb") as file:
            begin, end = validity(file.read())
    except (OSError, ValueError) as error:
        return [f"the dates of {certificate} cannot be read: {error}"]
    if now < EARLIEST:
        return [f"the clock says {now:%Y}, so whether {certificate} is in date is not known"]
    if now < begin:
        return [f"{certificate} is not valid before {begin:%Y-%m-%d %H:%M} UTC: check the clock"]
    if now > end:
        return [f"{certificate} has expired on {end:%Y-%m-%d}: renew it"]
    return []


def _no_password() -> str:
    raise ConfigurationError("server.private_key: expected a key without a password")


def _stamps(files: tuple[str, str]) -> list[tuple[int, int, int]]:
    """By which a changed file is known; of a missing one zeros, for it is ``load`` that says so."""
    return [_stamp(file) for file in files]


def _stamp(file: str) -> tuple[int, int, int]:
    try:
        status = os.stat(file)
    except OSError:
        return 0, 0, 0
    return status.st_mtime_ns, status.st_ino, status.st_size
