import resource
from collections.abc import Iterator

import pytest
from glottis.server.runtime.descriptors import raise_limit


@pytest.fixture
def most() -> Iterator[int]:
    """The hard limit, while the soft one is lower."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    yield hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_the_soft_limit_becomes_the_hard_one(most: int) -> None:
    raise_limit()
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (most, most)
