"""The states of a TURN allocation and what moves it from one to the next (RFC 8656 §5), as data."""

from enum import Enum
from typing import Final


class AllocationState(Enum):
    """Of an allocation, as its client knows it."""

    NEW = "new"
    ALLOCATING = "allocating"
    ALLOCATED = "allocated"
    RELEASING = "releasing"
    CLOSED = "closed"
    REDIRECTED = "redirected"
    FAILED = "failed"


class Happening(Enum):
    """What an allocation may meet that changes its state."""

    START = "the owner starts"
    GRANTED = "the server lent an address"
    ALTERNATE = "the server named another one"
    REFUSED = "the server refused, or did not answer"
    LOST = "the server has forgotten the allocation, or does not answer any more"
    CLOSE = "the owner closes"
    RELEASED = "the release was answered, or not in time"


TRANSITIONS: Final[dict[tuple[AllocationState, Happening], AllocationState]] = {
    (AllocationState.NEW, Happening.START): AllocationState.ALLOCATING,
    (AllocationState.NEW, Happening.CLOSE): AllocationState.CLOSED,
    (AllocationState.ALLOCATING, Happening.GRANTED): AllocationState.ALLOCATED,
    (AllocationState.ALLOCATING, Happening.ALTERNATE): AllocationState.REDIRECTED,
    (AllocationState.ALLOCATING, Happening.REFUSED): AllocationState.FAILED,
    # The server may have lent an address already, and its answer be on its way.
    (AllocationState.ALLOCATING, Happening.CLOSE): AllocationState.RELEASING,
    (AllocationState.ALLOCATED, Happening.LOST): AllocationState.FAILED,
    (AllocationState.ALLOCATED, Happening.CLOSE): AllocationState.RELEASING,
    (AllocationState.RELEASING, Happening.RELEASED): AllocationState.CLOSED,
}
