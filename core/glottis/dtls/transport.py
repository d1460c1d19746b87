"""The DTLS engine of a session: handshake, verification, keys, application data, closing (RFC 5764, 6347, 8827).

Nothing of the peer's is passed on, neither keys nor data, before its certificate has been compared with the fingerprint
of its session description.
"""

from collections.abc import Callable, Sequence
from typing import Final

from glottis.contracts.errors import LocalError, Malformed
from glottis.contracts.moments import earliest
from glottis.contracts.short_queue import ShortQueue
from glottis.dtls.certificate import Certificate, fingerprint_of, matches_fingerprint
from glottis.dtls.connection import CloseNotify, OpenSslError
from glottis.dtls.events import ApplicationData, Closed, Connected, DtlsEvent, Failed, FailureCode
from glottis.dtls.handshake import Handshake, HandshakeFailed
from glottis.dtls.numbering import Numbering
from glottis.dtls.states import TRANSITIONS, DtlsState, Happening
from glottis.sdp import Fingerprint
from glottis.wire.dtls_record import (
    MAX_APPLICATION_DATA,
    MTU,
    ContentType,
    DtlsRecord,
    pack_records,
    split_records_untrusted,
)
from glottis.wire.srtp_keys import SrtpProfile

HANDSHAKE_TIMEOUT: Final = 30.0
"""Seconds from ``start`` to a verified peer; no caller waits longer in silence."""
RESTART_DELAY: Final = 0.1
"""Seconds between a failed attempt and a fresh one, so that two ends that break each other's do not do it in a loop."""
MAX_HELD_DATAGRAMS: Final = 16
"""Kept while the handshake is complete but the fingerprint not known; later ones are dropped, and SCTP resends them."""

_PROTECTED: Final = (ContentType.ALERT, ContentType.APPLICATION_DATA)
"""What an established association still has use for; renegotiation is refused."""


class DtlsTransport:
    """One end of a DTLS-SRTP association; ``client`` is who said ``a=setup:active``.

    Its owner feeds only datagrams that came by an authenticated path. OpenSSL draws its own randomness; everything
    else is determined by the arguments.
    """

    def __init__(self, *, certificate: Certificate, client: bool, srtp: bool = True) -> None:
        """With ``srtp=False`` (a session of data channels only) a peer without use_srtp is no failure."""
        self.state = DtlsState.NEW
        self.discarded_datagrams = 0
        """How many were not DTLS 1.2 at all, or came when there was no use for them."""
        self.srtp_profile: SrtpProfile | None = None
        """What was agreed on, with the keys."""
        self.remote_fingerprint: Fingerprint | None = None
        """Of the certificate that the peer has shown, once it is known to be the announced one."""
        self.local_fingerprint = certificate.fingerprint
        self.is_client = client
        self._certificate = certificate
        self._srtp = srtp
        self._fingerprints: Sequence[tuple[str, str]] | None = None
        self._handshake: Handshake | None = None
        self._deadline: float | None = None
        self._restart_at: float | None = None
        self._alert: Sequence[DtlsRecord] = ()
        self._obstacle = "the peer does not answer"
        # RFC 6347 §4.2.4: repeats carry new numbers; a peer that met a record too early would else drop its repeat as a
        # replay. Protected records cannot be renumbered: our Finished is repeated as it was.
        self._sendings = Numbering()
        self._held: list[list[DtlsRecord]] = []
        self._outgoing: list[bytes] = []
        self._events: ShortQueue[DtlsEvent] = ShortQueue()

    # What the owner does

    def start(self, now: float) -> None:
        """Begin: a client sends its ClientHello, a server waits for one."""
        if not self._advance(Happening.START):
            raise LocalError("DTLS: only a new transport can be started")
        self._deadline = now + HANDSHAKE_TIMEOUT
        self._attempt(now)

    def set_remote_fingerprints(self, fingerprints: Sequence[tuple[str, str]]) -> None:
        """Say what certificates the peer may show, as (hash function, value) of ``a=fingerprint``; at any time."""
        self._fingerprints = tuple(fingerprints)
        if self.state is DtlsState.CONNECTING and self._handshake is not None and self._handshake.complete:
            self._verify()

    def send(self, data: bytes) -> None:
        """Send 1 to ``MAX_APPLICATION_DATA`` bytes in a record and a datagram of their own; or ``LocalError``."""
        if self.state is not DtlsState.CONNECTED or self._handshake is None:
            raise LocalError(f"DTLS: cannot send application data while {self.state.value}")
        if not 0 < len(data) <= MAX_APPLICATION_DATA:
            raise LocalError(f"DTLS: application data must have 1 to {MAX_APPLICATION_DATA} bytes, not {len(data)}")
        self._handshake.connection.send(data)
        self._transmit(self._handshake.connection.take_records())

    def close(self) -> None:
        """End the association, with close_notify if there is one. May be called in any state, more than once."""
        self._end(Happening.CLOSE, Closed(remote=False))

    # The engine's verbs

    def handle_datagram(self, data: bytes, now: float) -> None:
        """Take a datagram that came by an authenticated path; never raises."""
        try:
            records = split_records_untrusted(data)
        except Malformed:
            self.discarded_datagrams += 1
            return
        if self._handshake is None:
            self.discarded_datagrams += 1
        elif self._handshake.complete:
            self._handle_protected(self._handshake, records, now)
        else:
            self._go_on(lambda handshake: handshake.handle_records(records, now), now)

    def handle_timeout(self, now: float) -> None:
        """Do what time has made due: resend a flight, begin a fresh attempt, give up."""
        if self._deadline is not None and now >= self._deadline:
            self._refuse(
                FailureCode.HANDSHAKE_TIMEOUT, f"no verified peer in {HANDSHAKE_TIMEOUT:g} s: {self._obstacle}"
            )
        elif self._restart_at is not None and now >= self._restart_at:
            self._attempt(now)
        elif self._handshake is not None:
            self._go_on(lambda handshake: handshake.handle_timeout(now), now)

    def next_timeout(self) -> float | None:
        """When to call ``handle_timeout`` next, None if nothing is due."""
        flight = None if self._handshake is None else self._handshake.next_timeout
        return earliest(self._deadline, self._restart_at, flight)

    def datagrams_to_send(self) -> list[bytes]:
        """Returns and empties what is to be sent, each at most ``MTU`` bytes."""
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    def next_event(self) -> DtlsEvent | None:
        """The next event, None if there is none."""
        return self._events.popleft() if self._events else None

    # The handshake

    def _attempt(self, now: float) -> None:
        self._restart_at = None
        self._handshake = Handshake(self._certificate, client=self.is_client, earlier_alert=self._alert)
        self._go_on(lambda handshake: handshake.advance(now), now)

    def _go_on(self, step: Callable[[Handshake], None], now: float) -> None:
        """Take a step of the handshake. One that fails before the deadline is followed by a fresh attempt.

        An unauthenticated record may have broken it, and an OpenSSL connection that has seen an error is dead.
        """
        handshake = self._handshake
        assert handshake is not None
        was_complete = handshake.complete
        try:
            step(handshake)
        except HandshakeFailed as error:
            self._obstacle = str(error)
            self._handshake = None
            self._restart_at = now + RESTART_DELAY
            self._alert = error.alert
            self._transmit(self._alert)
        self._transmit(handshake.records_to_send())
        if handshake.complete and not was_complete:
            self._verify()

    def _verify(self) -> None:
        """Compare the certificate with the announced fingerprints, and only then give out keys and data."""
        assert self._handshake is not None
        if self._fingerprints is None:
            self._obstacle = "the peer's fingerprint is not known"
            return
        connection = self._handshake.connection
        certificate = connection.peer_certificate()
        if not matches_fingerprint(certificate, self._fingerprints):
            self._refuse(FailureCode.FINGERPRINT_MISMATCH, "the peer's certificate is not the announced one")
            return
        keys = connection.export_srtp_keys()
        if keys is None and self._srtp:
            # OpenSSL calls this handshake a success (RFC 5764 §4.1.1 leaves the choice to us).
            self._refuse(FailureCode.NO_SRTP_PROFILE, "no SRTP protection profile in common")
            return
        self.srtp_profile = keys.profile if keys is not None else None
        self.remote_fingerprint = fingerprint_of(certificate, "sha-256")
        self._advance(Happening.VERIFIED)
        self._deadline = None
        self._events.append(Connected(keys))
        self._release_held()

    # The established association

    def _handle_protected(self, handshake: Handshake, records: Sequence[DtlsRecord], now: float) -> None:
        if any(record.content_type == ContentType.HANDSHAKE for record in records):
            handshake.repeat_last_flight(now)
            self._transmit(handshake.records_to_send())
        protected = [record for record in records if record.epoch == 1 and record.content_type in _PROTECTED]
        if not protected:
            return
        if self.state is DtlsState.CONNECTED:
            self._receive(protected)
        elif len(self._held) < MAX_HELD_DATAGRAMS:
            self._held.append(protected)

    def _release_held(self) -> None:
        held, self._held = self._held, []
        self._receive([])  # what came in one datagram with Finished, or before it
        for records in held:
            self._receive(records)

    def _receive(self, records: Sequence[DtlsRecord]) -> None:
        if self._handshake is None:
            return  # closed by an earlier record
        connection = self._handshake.connection
        connection.feed(records)
        try:
            for data in connection.receive():
                self._handshake.release_last_flight()
                self._events.append(ApplicationData(data))
        except CloseNotify:
            self._end(Happening.CLOSE_NOTIFY, Closed(remote=True))
        except OpenSslError as error:
            reason = f"the peer broke the connection: {error}"
            self._end(Happening.BROKEN, Failed(FailureCode.PROTOCOL_ERROR, reason))

    # The end

    def _refuse(self, code: FailureCode, reason: str) -> None:
        self._end(Happening.REFUSED, Failed(code, reason))

    def _end(self, happening: Happening, event: Closed | Failed) -> None:
        """Say close_notify where somebody can hear it, and let go of everything; nothing after an end."""
        if not self._advance(happening):
            return
        if self._handshake is not None and self._handshake.complete:
            self._handshake.connection.close()
            self._transmit(self._handshake.connection.take_records())
        self._handshake = self._deadline = self._restart_at = None
        self._held.clear()
        self._events.append(event)

    def _advance(self, happening: Happening) -> bool:
        """Change the state as the table says; False, and no change, where it says nothing."""
        state = TRANSITIONS.get((self.state, happening))
        if state is None:
            return False
        self.state = state
        return True

    def _transmit(self, records: Sequence[DtlsRecord]) -> None:
        self._outgoing += pack_records(map(self._sendings.apply, records), MTU)
