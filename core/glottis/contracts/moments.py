"""Moments at which something is due, None where nothing is."""


def earliest(*moments: float | None) -> float | None:
    """The first of those that there are. Asked for all the time: a loop costs a fifth of ``min`` over a generator."""
    first: float | None = None
    for moment in moments:
        if moment is not None and (first is None or moment < first):
            first = moment
    return first
