"""Which of the peer's SSRCs have a place in libsrtp, and which never get one again."""

import math
from array import array
from bisect import bisect_left
from collections.abc import Callable
from typing import Final

from glottis.contracts.errors import Malformed
from glottis.wire.token_bucket import TokenBucket

MAX_RETIRED: Final = 65_536
"""SSRCs that have given way, at four bytes each."""
RETIREMENTS_PER_SECOND: Final = 1
RETIREMENT_BURST: Final = 64
"""SSRCs that may give way at once. So there is room for those of 18 hours, whatever a peer sends; and whoever changes
its SSRC is heard within a second, even after a flood."""


class RemoteSources:
    """SSRCs, as bytes, that the peer has used, at most ``places`` at a time.

    The one unheard for longest gives way to a new one. With its place go its replay list and its rollover counter
    (RFC 3711 §3.2.3), without which its old packets would pass for new ones. So it does not come back: RFC 3550 §8.1
    has senders that restart choose another SSRC anyway. ``release`` takes the number of one that has given way.
    ``now`` is monotonic seconds.
    """

    def __init__(self, places: int, release: Callable[[int], None]) -> None:
        self.latest = b""
        """The one heard last; whoever hears it again need not say so."""
        self._places = places
        self._release = release
        self._held: dict[bytes, None] = {}
        """That heard last comes last."""
        self._retired = array("I")  # sorted
        self._pace = TokenBucket(RETIREMENTS_PER_SECOND, RETIREMENT_BURST, -math.inf)
        self._full_until = -math.inf

    @property
    def retired(self) -> int:
        """How many have given way."""
        return len(self._retired)

    def require_admissible(self, ssrc: bytes, now: float) -> None:
        """Before anything is spent on a packet of ``ssrc``: ``Malformed`` if it cannot have a place."""
        if ssrc in self._held:
            return
        number = int.from_bytes(ssrc)
        place = bisect_left(self._retired, number)
        if place < len(self._retired) and self._retired[place] == number:
            raise Malformed("SRTP: a source that has given way to others does not come back")
        if len(self._retired) == MAX_RETIRED:
            raise Malformed(f"SRTP: more than {MAX_RETIRED} sources in a session")
        if now < self._full_until:
            raise Malformed("SRTP: new sources come faster than old ones may give way")

    def heard(self, ssrc: bytes, now: float) -> None:
        """An authentic packet of ``ssrc`` has come; only now may it take a place."""
        self.latest = ssrc
        self._held.pop(ssrc, None)
        self._held[ssrc] = None
        if len(self._held) > self._places:
            oldest = next(iter(self._held))
            del self._held[oldest]
            self._retire(int.from_bytes(oldest))
            self._full_until = now + self._pace.borrow(now)

    def _retire(self, number: int) -> None:
        self._retired.insert(bisect_left(self._retired, number), number)
        self._release(number)
