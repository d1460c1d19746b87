"""What code costs, in operations of the interpreter: the same in each run and on each machine, which time is not.

An operation is one opcode of Python, whether of glottis or of a library in Python. C code has no opcodes: a call into
it counts ``C_CALL``, and what is known to walk over its operands counts by their size besides (``support.operands``).
What C code does within one call beyond that is not seen: OpenSSL, libsrtp, and the steps back of a regular expression,
which ``support.backtracking`` counts.
"""

import gc
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

from support.operands import receiver_weight, weights

OPERATIONS_PER_MS: Final = 60_000
"""What CPython 3.11 does in CPU time on a shared virtual core, of code that makes many objects; of plain loops it does
two or three times as many. Measured with the inputs of ``tests/support/worst``."""
C_CALL: Final = 3
"""A call into C takes as long as a few opcodes do, whatever it is for."""


def operations(function: Callable[..., object], *arguments: Any, **named: Any) -> int:
    """What a call costs; what it raises goes through. Another tracer, as coverage has, sees nothing of the call."""
    return _Meter().run(function, *arguments, **named)


class _Meter:
    """Counts while it is the tracer and the profiler of this thread."""

    def __init__(self) -> None:
        self._count = 0

    def run(self, function: Callable[..., object], *arguments: Any, **named: Any) -> int:
        tracer, profiler, collects = sys.gettrace(), sys.getprofile(), gc.isenabled()
        gc.disable()  # a collection calls back into Python whenever it happens
        sys.setprofile(self._profile)
        sys.settrace(self._enter)
        try:
            function(*arguments, **named)
        finally:
            sys.settrace(tracer)
            sys.setprofile(profiler)
            if collects:
                gc.enable()
        return self._count

    def _enter(self, frame: FrameType, event: str, argument: object) -> Callable[..., Any]:
        frame.f_trace_lines, frame.f_trace_opcodes = False, True
        return self._weigh if weights(frame.f_code) else self._step

    def _step(self, frame: FrameType, event: str, argument: object) -> Callable[..., Any]:
        """Of functions whose instructions cost the same."""
        if event == "opcode":
            self._count += 1
        return self._step

    def _weigh(self, frame: FrameType, event: str, argument: object) -> Callable[..., Any]:
        if event == "opcode":
            weigh = weights(frame.f_code).get(frame.f_lasti)
            self._count += 1 if weigh is None else 1 + weigh(frame)
        return self._weigh

    def _profile(self, frame: FrameType, event: str, called: object) -> None:
        if event == "c_call":
            self._count += C_CALL + receiver_weight(called)
