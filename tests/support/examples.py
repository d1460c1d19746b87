"""How many examples of a property: a fifth in the quick run, all in the whole one, ten times as many at will."""

from hypothesis import settings

WHOLE = 100
"""Of the profile that hypothesis has by itself; ``conftest.py`` has that of the quick run."""


def examples(count: int) -> int:
    """For ``max_examples``: as large a part of them as the profile has of its own hundred."""
    return max(1, count * settings().max_examples // WHOLE)
