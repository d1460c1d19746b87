"""TURN: an address that a server lends, and relays to and from, RFC 8656. Start at ``Allocation``."""

from glottis.turn.allocation import Allocation, Family
from glottis.turn.credentials import UNAUTHENTICATED, LongTermCredentials
from glottis.turn.events import Allocated, Alternate, Closed, Failed, Received, TurnEvent
from glottis.turn.refusals import ALLOCATION_MISMATCH
from glottis.turn.states import AllocationState
from glottis.turn.timing import DEFAULT_TIMING, TurnTiming

__all__ = [
    "ALLOCATION_MISMATCH",
    "DEFAULT_TIMING",
    "UNAUTHENTICATED",
    "Allocated",
    "Allocation",
    "AllocationState",
    "Alternate",
    "Closed",
    "Failed",
    "Family",
    "LongTermCredentials",
    "Received",
    "TurnEvent",
    "TurnTiming",
]
