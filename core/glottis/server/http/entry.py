"""What was found out about a request before it is served."""

from typing import NamedTuple


class Entry(NamedTuple):
    """Of a request for something of which there is only so much."""

    seconds: float = 0.0
    """To wait, until the client may ask."""
    may_try: bool = True
    """Nobody waits who is to go first."""
    may_move: bool = False
    """Another process may have room if this one has none."""
    tried: tuple[int, ...] = ()
    """Processes that had none."""
