"""File descriptors: how many this process may have."""

import resource
from contextlib import suppress


def raise_limit() -> None:
    """To what the system allows without being asked.

    The usual soft limit, 1,024, is there for ``select``, which knows no higher numbers, and which glottis does not use.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):  # some systems allow less than they say
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
