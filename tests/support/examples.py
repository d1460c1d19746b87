"""How many examples a property is tried with: a fifth in the quick run, all of them in the whole one."""

from hypothesis import settings

WHOLE = 100
"""Of the profile that hypothesis has by itself; ``conftest.py`` has that of the quick run."""


def examples(count: int) -> int:
    """For ``max_examples``: as large a part of them as the profile has of its own hundred."""
    return max(1, count * settings().max_examples // WHOLE)
