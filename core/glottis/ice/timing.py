"""The intervals of ICE and consent, in one place, so that tests and devices can choose others."""

from typing import Final

import msgspec
from msgspec.structs import replace

from glottis.ice.pair import CandidatePair


class IceTiming(msgspec.Struct, frozen=True):
    """All times in seconds."""

    pacing: float = 0.05
    """Ta: between two new checks of an agent, RFC 8445 §14.2."""
    rto: float = 0.5
    """First retransmission; a long check list stretches it, RFC 8445 §14.3."""
    round_trip: float | None = None
    """Of the path before a restart: the next one is not likely to take much longer."""
    least_rto: float = 0.1
    """What is taken in place of ``rto`` where two such round trips are shorter."""
    max_rto: float = 2.0
    """Doubling stops here, so that all transmissions fit into ``patience`` and a lossy path gets its chance."""
    transmissions: int = 7
    """Rc of RFC 8489 §6.2.1."""
    settle: float = 0.3
    """How long a controlling agent waits for something better before it nominates a valid pair."""
    patience: float = 15.0
    """From the last new hope, a candidate for example, until checks without any success count as failed."""
    consent_interval: float = 5.0
    """Between consent checks on average, RFC 7675 §5.1."""
    consent_spread: float = 0.2
    """Each interval is randomised by this fraction either way."""
    consent_transmissions: int = 3
    """An unanswered consent check is repeated like any STUN request; sent once, half of all calls on a path that loses
    30 % each way would lose consent by chance within ten minutes."""
    consent_lifetime: float = 30.0
    """Without an answer for so long, sending stops for good, RFC 7675 §5.1."""
    doubt_after: float = 0.2
    """Media by another path than the selected one, and nothing by that for so long: the peer may have moved."""
    moved_rto: float = 0.1
    """Between the transmissions of a check that tells whether it has: nothing is heard until then."""
    doubt_time: float = 0.3
    """A path in doubt counts as silent if it does not answer within this time, or two of its round trips."""
    silence: float = 5.0
    """Without any sign of the peer for so long, and a consent check unanswered, the agent is disconnected."""
    answer_time: float = 2.0
    """How long the answer to a consent check may take before it counts as unanswered."""
    pause: float = 1.0
    """Media that has stopped for so long: the peer is asked at once whether it still is there."""
    loss: float = 2.0
    """From the last media until a peer that does not answer this counts as silent."""

    farewell: float = 1.0
    """From a goodbye until a peer that is not heard after it counts as gone."""
    farewell_transmissions: int = 7
    """Of the check that asks, ``moved_rto`` apart: chance does not lose them all on a path that carries a call."""

    @property
    def first_rto(self) -> float:
        """The first retransmission of a check, however long the check list is."""
        return self.rto if self.round_trip is None else min(self.rto, max(self.least_rto, 2 * self.round_trip))

    def after(self, pair: CandidatePair | None) -> "IceTiming":
        """That of an agent which comes after another, whose data went by this pair, if by any."""
        known = None if pair is None else pair.current_round_trip_time
        return self if known is None else replace(self, round_trip=known)


DEFAULT_TIMING: Final = IceTiming()
