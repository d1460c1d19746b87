"""Seeds of random tests: two in the quick run, all of them in the whole one."""

from typing import Final

import pytest

QUICK: Final = 2


def seeds(count: int) -> list[object]:
    """For ``parametrize``: 0 to ``count`` - 1, the later ones marked slow."""
    return [pytest.param(seed, marks=[] if seed < QUICK else pytest.mark.slow) for seed in range(count)]
