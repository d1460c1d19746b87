"""What a call costs, in a unit that no other load on the machine changes."""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any


def operations(function: Callable[..., object], *args: object) -> int:
    """Lines of Python that ``function(*args)`` executes, and calls into C. Loops within C count as one."""
    count = 0

    def trace(frame: FrameType, event: str, arg: Any) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    def profile(frame: FrameType, event: str, arg: Any) -> None:
        nonlocal count
        count += event == "c_call"

    before = sys.gettrace(), sys.getprofile()
    sys.setprofile(profile)
    sys.settrace(trace)
    try:
        function(*args)
    finally:
        sys.settrace(before[0])
        sys.setprofile(before[1])
    return count
