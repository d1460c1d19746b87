"""What was counted of the processes of agents."""

import msgspec


class PoolCounts(msgspec.Struct):
    """Since the start."""

    started: int = 0
    lost: int = 0
    """Processes that have ended by themselves, or had to be ended."""
    calls_lost: int = 0
    """Calls that have ended with them."""
    calls_refused: int = 0
    """Calls that found no place."""
