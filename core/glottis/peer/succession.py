"""One DTLS association after another, where a peer gives the bundle another transport (RFC 9143 §7.5.3).

By the RFC the section that takes over goes on by the transport that there is. Browsers make a new one, with the old
credentials of ICE unless they change them: they check from other ports, begin another handshake, and may say goodbye by
the old one before. Whether a peer does so shows when its ClientHello comes, so both ways are open for a while.
"""

from collections.abc import Callable
from typing import Final

from glottis.contracts.moments import earliest
from glottis.dtls import DtlsEvent, DtlsTransport
from glottis.wire.address import Datagram, Path
from glottis.wire.dtls_record import ContentType, begins_handshake

PATIENCE: Final = 10.0
"""Seconds from our answer to the ClientHello, while a goodbye is none. Browsers send it as soon as a check has
succeeded; it is as long as a caller waits in silence who does not know that the far end has gone."""

LIMIT: Final = 30.0
"""Seconds from our first answer to the proof, however many other answers follow: a handshake has as long."""


class Succession:
    """Expected once, it ends with ``finish`` or ``drop``. The association before lives until the next one is proven.

    There is one successor at a time: who is expected again, begins again.
    """

    __slots__ = (
        "_arrived",
        "_deadline",
        "_last_flight",
        "_left",
        "_limit",
        "_make",
        "_next",
        "_old_path",
        "_path",
        "end",
        "follows_proven",
        "is_expected",
    )

    def __init__(self) -> None:
        self.is_expected = False
        self.end = ""
        """Why the association before has ended, if it has."""
        self.follows_proven = False
        """Whether the association before was proven."""
        self._next: DtlsTransport | None = None
        self._make: Callable[[], DtlsTransport] | None = None
        self._old_path: Path | None = None
        self._path: Path | None = None
        """Where the successor's datagrams come from, and go to: ICE may not have chosen it yet."""
        self._last_flight: list[Datagram] = []
        """Of a successor that has taken over."""
        self._left: Path | None = None
        self._arrived: Path | None = None
        """From where to where the peer went with it."""
        self._deadline = self._limit = 0.0

    def expect(
        self, make: Callable[[], DtlsTransport], old_path: Path | None, now: float, *, follows_proven: bool
    ) -> None:
        """From now on ``make`` makes a successor of the first ClientHello that comes by another path than the old."""
        if not self.is_expected:
            self.is_expected, self.follows_proven = True, follows_proven
            self._old_path, self._limit = old_path, now + LIMIT
        self._next, self._make, self._deadline = None, make, min(now + PATIENCE, self._limit)

    def goes_by(self, path: Path | None, now: float) -> bool:
        """Be the client of the successor, once data goes by another path than the old; says whether it begins with it.

        A peer that has kept its association takes no notice of a ClientHello.
        """
        if not self.is_expected or path in (None, self._old_path):
            return False
        self._path = path
        if self._next is not None:
            return False
        self._begin(now)
        return True

    def takes(self, data: bytes, path: Path, *, as_server: bool) -> bool:
        """Whether a datagram of DTLS is the successor's, of which it may be the first.

        It has no data before it is proven: who sends any has kept its association, and may use another path for it.
        """
        if not self.is_expected or path == self._old_path or data[0] == ContentType.APPLICATION_DATA:
            return False
        return self._next is not None or (as_server and begins_handshake(data))

    def handle_datagram(self, data: bytes, path: Path, now: float) -> bool:
        """Take a datagram that ``takes`` has found to be the successor's; says whether it has begun with it."""
        is_first = self._next is None
        successor = self._next or self._begin(now)
        self._path = path
        successor.handle_datagram(data, now)
        return is_first

    def handle_timeout(self, now: float) -> None:
        """Of the successor."""
        if self._next is not None:
            self._next.handle_timeout(now)

    def is_overdue(self, now: float) -> bool:
        """Whether none has begun in time, or has been proven."""
        return self.is_expected and now >= self._end_of_patience

    def next_timeout(self) -> float | None:
        """When one of both may have something to do."""
        if not self.is_expected:
            return None
        return earliest(self._end_of_patience, self._next.next_timeout() if self._next is not None else None)

    def datagrams_to_send(self) -> list[Datagram]:
        """Return and empty the successor's."""
        outgoing, self._last_flight = self._last_flight, []
        if self._next is not None and self._path is not None:
            outgoing += [Datagram(data, self._path) for data in self._next.datagrams_to_send()]
        return outgoing

    def next_event(self) -> DtlsEvent | None:
        """The successor's."""
        return None if self._next is None else self._next.next_event()

    def finish(self) -> tuple[DtlsTransport, Path]:
        """The successor, which is proven, takes over; and where the peer is."""
        successor, path = self._next, self._path
        assert successor is not None
        assert path is not None
        self._last_flight = self.datagrams_to_send()
        self._left, self._arrived = self._old_path, path
        self.drop()
        return successor, path

    def way(self, selected: Path | None) -> Path | None:
        """Where DTLS goes: the path that ICE has selected, unless that is the one that the peer has left.

        Our own check of the other may wait for its turn for 50 ms, while the peer has used it for a whole handshake.
        """
        if selected != self._left:
            self._left = self._arrived = None
        return self._arrived or selected

    def drop(self) -> None:
        """There is none, or none any more."""
        self.is_expected, self.follows_proven, self.end = False, False, ""
        self._next = self._make = self._old_path = self._path = None

    @property
    def _end_of_patience(self) -> float:
        return self._deadline if self._next is None else self._limit

    def _begin(self, now: float) -> DtlsTransport:
        assert self._make is not None
        successor = self._next = self._make()
        successor.start(now)
        return successor
