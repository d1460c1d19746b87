"""Which of the records that claim to come from the peer reach OpenSSL during a handshake.

Until both ends have changed to epoch 1, nothing in a record is proved, and OpenSSL ends a connection for good at the
first alert or unexpected message. So what cannot be the peer's next words never gets there.
"""

from collections.abc import Mapping, Sequence
from enum import Flag, auto
from typing import Final

from glottis.contracts.errors import Malformed
from glottis.wire.dtls_record import (
    ContentType,
    DtlsRecord,
    HandshakeFragment,
    HandshakeType,
    split_handshake_untrusted,
)

_FROM_CLIENT: Final[Mapping[int, range]] = {
    HandshakeType.CLIENT_HELLO: range(1),
    HandshakeType.CERTIFICATE: range(1, 2),
    HandshakeType.CLIENT_KEY_EXCHANGE: range(2, 3),
    HandshakeType.CERTIFICATE_VERIFY: range(3, 4),
}
"""The places of a client's messages (RFC 5246 §7.3), which must authenticate itself and gets no HelloVerifyRequest."""
_FROM_SERVER: Final[Mapping[int, range]] = {
    HandshakeType.HELLO_VERIFY_REQUEST: range(1),
    HandshakeType.SERVER_HELLO: range(1),
    HandshakeType.CERTIFICATE: range(1, 2),
    HandshakeType.SERVER_KEY_EXCHANGE: range(2, 3),
    HandshakeType.CERTIFICATE_REQUEST: range(3, 4),
    HandshakeType.SERVER_HELLO_DONE: range(3, 5),
}
"""The places of a server's messages, after a HelloVerifyRequest if it sends one."""
_HELLO: Final[Mapping[int, range]] = {HandshakeType.CLIENT_HELLO: range(1)}
_CLIENT_RANDOM: Final = slice(2, 34)
"""Its place in a ClientHello, after the version (RFC 5246 §7.4.1.2)."""


class Verdict(Flag):
    """What a record is good for."""

    DISCARD = 0
    ADMIT = auto()
    """OpenSSL shall see it."""
    REPEAT = auto()
    """The peer has not seen what we sent last: it says again what came before that."""
    DOUBT = auto()
    """It may mean that the peer has begun anew, or be a stranger's."""


class Screen:
    """Judges the records of one handshake attempt, seen from one role."""

    def __init__(self, *, client: bool) -> None:
        # OpenSSL would keep what comes before a hello, and take an earlier attempt's messages for this one's. It would
        # also keep a message numbered ahead, and take it for the peer's Finished when that is due.
        self._places = _FROM_SERVER if client else _HELLO
        self._first_message = 0
        self._client_random: bytes | None = None
        self._newest_message = -1
        self._answered_message = -1
        self._sealed = False

    def answered(self, flight: Sequence[DtlsRecord]) -> None:
        """A new flight of ours goes out: it answers all that has been admitted so far."""
        self._answered_message = self._newest_message
        self._sealed = any(record.content_type == ContentType.CHANGE_CIPHER_SPEC for record in flight)

    def judge(self, record: DtlsRecord) -> Verdict:
        """The verdict on a record; never raises."""
        if record.content_type == ContentType.HANDSHAKE and record.epoch == 0:
            return self._judge_handshake(record)
        if record.content_type == ContentType.ALERT and record.epoch == 0:
            return Verdict.DOUBT
        if self._newest_message < 0:
            return Verdict.DISCARD
        if record.epoch == 1:
            return Verdict.ADMIT  # OpenSSL authenticates it, and drops a forged one in silence (RFC 6347 §4.1.2.7)
        is_change = record.content_type == ContentType.CHANGE_CIPHER_SPEC and record.fragment == b"\x01"
        return Verdict.ADMIT if is_change and record.epoch == 0 else Verdict.DISCARD

    def _judge_handshake(self, record: DtlsRecord) -> Verdict:
        try:
            messages = split_handshake_untrusted(record.fragment)
        except Malformed:
            return Verdict.DISCARD
        if any(self._is_foreign_hello(message) for message in messages):
            return Verdict.DOUBT
        if not all(self._is_in_place(message) for message in messages):
            # To a server that awaits a hello, a later message says that its client knows nothing of the new attempt.
            return Verdict.REPEAT if self._places is _HELLO else Verdict.DISCARD
        newest = max(message.message_seq for message in messages)
        self._newest_message = max(self._newest_message, newest)
        # After our Finished comes the peer's and no other message: the server may already be done, and an attempt that
        # failed on this side alone could not be repeated.
        admit = Verdict.DISCARD if self._sealed else Verdict.ADMIT
        return admit | Verdict.REPEAT if newest <= self._answered_message else admit

    def _is_in_place(self, message: HandshakeFragment) -> bool:
        """Whether a message of this type can have this number."""
        if message.message_seq - self._first_message not in self._places.get(message.message_type, ()):
            return False
        if message.message_type == HandshakeType.HELLO_VERIFY_REQUEST:
            if self._newest_message >= 0:
                return False
            self._first_message = 1
        return True

    def _is_foreign_hello(self, message: HandshakeFragment) -> bool:
        """Whether it begins a hello of another handshake than this one."""
        if message.message_type == HandshakeType.SERVER_HELLO:
            return message.message_seq < self._first_message  # no HelloVerifyRequest came before it
        if message.message_type != HandshakeType.CLIENT_HELLO or message.offset != 0:
            return False
        random = message.body[_CLIENT_RANDOM]
        if self._client_random is None and message.message_seq == 0:
            self._client_random = random
            self._places = _FROM_CLIENT
        return random != self._client_random
