"""The last flight sent, and when to send it again (RFC 6347 §4.2.4).

OpenSSL's own timer starts at one second of wall-clock time, which is most of a caller's patience; glottis keeps
the flight's records and resends them on the time that it is told.
"""

from collections.abc import Sequence
from typing import Final

from glottis.wire.dtls_record import ContentType, DtlsRecord, split_handshake_untrusted

FIRST_INTERVAL: Final = 0.1
"""Seconds. A person waits for this handshake, and its flights are two kilobytes at most."""
LAST_INTERVAL: Final = 1.0
"""Seconds; where doubling ends: the interval with which RFC 6347 §4.2.4.1 begins."""
MIN_SPACING: Final = 0.05
"""Seconds between two sendings on the peer's demand: a duplicate is no demand, and a flood of them no amplifier."""
FINAL_RESENDS: Final = 3
"""Of the handshake's very last flight, unasked; the peer's repeats bring it again at any time after."""

_LAST_PLACE: Final = 2**16
"""Of ChangeCipherSpec and Finished: after all message numbers."""


class Flight:
    """Holds one flight at a time. ``next_timeout`` is when it is to be sent again."""

    def __init__(self, records: Sequence[DtlsRecord] = ()) -> None:
        """``records`` were sent before, and are repeated on demand only."""
        self.next_timeout: float | None = None
        self._records = records
        self._interval = FIRST_INTERVAL
        self._sent_at = 0.0
        self._resends_left: int | None = None
        self._newest = -1

    def replace(self, records: Sequence[DtlsRecord], now: float) -> Sequence[DtlsRecord]:
        """Take what is new in ``records`` as the next flight, sent now, and return it.

        The rest is what OpenSSL repeats by its own clock, after a second or more, ahead of what it answers.
        """
        places = [_place(record) for record in records]
        fresh = [record for record, place in zip(records, places, strict=True) if place > self._newest]
        if fresh:
            self._newest = max(places)
            self._records = fresh
            self._sent_at = now
            self._interval = FIRST_INTERVAL
            self.next_timeout = now + FIRST_INTERVAL
        return fresh

    def hasten(self, now: float) -> None:
        """Begin with short intervals again, if the flight is being repeated at all."""
        self._interval = FIRST_INTERVAL
        if self.next_timeout is not None:
            self.next_timeout = now + FIRST_INTERVAL

    def finish(self) -> None:
        """No further flight follows this one: stop resending it unasked after a while."""
        self._resends_left = FINAL_RESENDS

    def drop(self) -> None:
        """The peer has this flight: forget it."""
        self._records = ()
        self.next_timeout = None

    def repeat_on_timeout(self, now: float) -> Sequence[DtlsRecord]:
        """The records, if it is time to send them again."""
        if self.next_timeout is None or now < self.next_timeout:
            return ()
        self._interval = min(2 * self._interval, LAST_INTERVAL)
        if self._resends_left is not None:
            self._resends_left -= 1
        self._sent_at = now
        self.next_timeout = None if self._resends_left == 0 else now + self._interval
        return self._records

    def repeat_on_demand(self, now: float) -> Sequence[DtlsRecord]:
        """The records, if the peer, which has repeated its own flight, can have missed them."""
        if now < self._sent_at + MIN_SPACING:
            return ()
        self._sent_at = now
        if self.next_timeout is not None:
            self.next_timeout = now + self._interval
        return self._records


def _place(record: DtlsRecord) -> int:
    """The place in the handshake of one of OpenSSL's records, which hold a message each."""
    if record.content_type == ContentType.HANDSHAKE and record.epoch == 0:
        return split_handshake_untrusted(record.fragment)[0].message_seq
    return _LAST_PLACE
