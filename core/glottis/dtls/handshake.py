"""One attempt at a handshake: an OpenSSL connection, the screen before it and the flight behind it."""

from collections.abc import Sequence
from functools import reduce
from operator import or_
from typing import Final

from glottis.dtls.certificate import Certificate
from glottis.dtls.connection import Connection, OpenSslError
from glottis.dtls.flight import Flight
from glottis.dtls.screening import Screen, Verdict
from glottis.wire.dtls_record import ContentType, DtlsRecord

RESENDS_IN_DOUBT: Final = 3
"""A plaintext alert or a foreign ClientHello proves nothing, but after this many resends in vain it is believed."""

_HANDSHAKE_FAILURE: Final = DtlsRecord(ContentType.ALERT, 0, bytes.fromhex("15 fefd 0000 000000000000 0002 0228"))
"""A fatal alert (RFC 5246 §7.2.2), for want of one of OpenSSL's that the peer can read."""


class HandshakeFailed(Exception):
    """This attempt leads nowhere; the message says why, for a log, and ``alert`` tells it to the peer."""

    def __init__(self, reason: str, alert: Sequence[DtlsRecord]) -> None:
        super().__init__(reason)
        self.alert = alert


class Handshake:
    """Records in, records out; errors are ``HandshakeFailed`` and final."""

    def __init__(self, certificate: Certificate, *, client: bool, earlier_alert: Sequence[DtlsRecord] = ()) -> None:
        """``earlier_alert`` ended the attempt before; a peer that still believes in that one gets it again."""
        self.connection = Connection(certificate, client=client)
        self.complete = False
        self._client = client
        self._screen = Screen(client=client)
        self._flight = Flight(earlier_alert)
        self._outgoing: list[DtlsRecord] = []
        self._resends_in_doubt: int | None = None

    @property
    def next_timeout(self) -> float | None:
        """When ``handle_timeout`` wants to be called."""
        return self._flight.next_timeout

    def records_to_send(self) -> list[DtlsRecord]:
        """Returns and empties what is to be sent."""
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    def advance(self, now: float) -> None:
        """Go on as far as what has been received allows; a client's first step is its ClientHello."""
        try:
            self.complete = self.connection.advance_handshake()
        except OpenSslError as error:
            raise HandshakeFailed(str(error), self._take_alert()) from None
        self._send_flight(self.connection.take_records(), now)
        if self.complete and self._client:
            self._flight.drop()  # the server's Finished says that it had ours
        elif self.complete:
            self._flight.finish()

    def handle_records(self, records: Sequence[DtlsRecord], now: float) -> None:
        """Take the records of one datagram."""
        verdicts = [self._screen.judge(record) for record in records]
        self.connection.feed(
            record for record, verdict in zip(records, verdicts, strict=True) if Verdict.ADMIT in verdict
        )
        self.advance(now)
        signs = reduce(or_, verdicts, Verdict.DISCARD)
        if Verdict.REPEAT in signs:
            self._outgoing += self._flight.repeat_on_demand(now)
        if Verdict.DOUBT in signs and self._resends_in_doubt is None:
            self._resends_in_doubt = RESENDS_IN_DOUBT
            self._flight.hasten(now)

    def handle_timeout(self, now: float) -> None:
        """Send the flight again when it is time."""
        due = self._flight.repeat_on_timeout(now)
        if due and any(record.epoch for record in due):
            # Who has our Finished, but whose own was lost, takes a copy for a replay (RFC 6347 §4.1.2.6).
            due = self.connection.resend_flight() or due
        self._outgoing += due
        if due and self._resends_in_doubt is not None:
            if self._resends_in_doubt == 0:
                raise HandshakeFailed("no answer after an alert or a new hello", [_HANDSHAKE_FAILURE])
            self._resends_in_doubt -= 1

    def repeat_last_flight(self, now: float) -> None:
        """The peer shows that it has not seen our Finished: send it again."""
        self._outgoing += self._flight.repeat_on_demand(now)

    def release_last_flight(self) -> None:
        """The peer shows that it has seen our Finished."""
        self._flight.drop()

    def _take_alert(self) -> list[DtlsRecord]:
        """OpenSSL's alert, without the rest: a flight that it was about to send would lead the peer further astray."""
        last_words = self.connection.take_records()
        alerts = [record for record in last_words if record.content_type == ContentType.ALERT and record.epoch == 0]
        return alerts or [_HANDSHAKE_FAILURE]

    def _send_flight(self, records: list[DtlsRecord], now: float) -> None:
        flight = self._flight.replace(records, now)
        if flight:
            self._outgoing += flight
            self._screen.answered(flight)
            self._resends_in_doubt = None
