"""Whether a peer that has said goodbye is gone, or has only stopped a stream."""

import math
from typing import Final

from glottis.ice.check_list import CheckList
from glottis.ice.pair import CandidatePair
from glottis.ice.timing import IceTiming

STRAGGLING: Final = 0.2
"""Seconds; media that comes so shortly after a goodbye was sent before it, or is the goodbye's copy."""


class Farewell:
    """A goodbye, which an RTCP BYE is (RFC 3550 §6.6): it may be meant, or be that of a stream which the peer holds.

    So the peer is asked, as for consent (RFC 7675 §5.1), and whatever is heard of it by any path says that it is there.
    """

    def __init__(self, check_list: CheckList, pair: CandidatePair, timing: IceTiming, now: float) -> None:
        self._check_list = check_list
        self._said_at = now
        self.over_at = now + max(timing.farewell, 2 * (pair.current_round_trip_time or 0.0))
        """When it is known what was meant."""

    @property
    def is_meant(self) -> bool:
        """Whether nothing was heard of the peer since."""
        return not any(map(self._is_used, self._check_list))

    def _is_used(self, pair: CandidatePair) -> bool:
        said_at, heard_at = self._said_at, pair.heard_at or -math.inf
        is_granted = pair.granted_at is not None and pair.granted_at >= said_at
        has_asked = heard_at > said_at and heard_at != pair.media_at
        return is_granted or has_asked or pair.media_at > said_at + STRAGGLING
