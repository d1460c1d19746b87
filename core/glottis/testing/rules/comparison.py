"""How a secret is compared: by what instructions of Python, and by what functions in C."""

import gc
import sys
from collections.abc import Awaitable, Callable, Generator, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Watched(Generic[T]):
    """To be awaited in place of ``work``, whose own steps are watched, and not what happens while it waits."""

    def __init__(self, work: Awaitable[T]) -> None:
        self._work = work
        self.instructions = 0
        self.is_for_secrets = False
        """Whether a function was called that takes as long for any text."""

    def __await__(self) -> Generator[Any, Any, T]:
        steps = self._work.__await__()
        resume: Callable[[], Any] = lambda: next(steps)  # noqa: E731
        while True:
            try:
                with self._watching():
                    trap = resume()
            except StopIteration as end:
                result: T = end.value
                return result
            try:
                value = yield trap
                resume = _sending(steps, value)
            except BaseException as error:
                resume = _throwing(steps, error)

    @contextmanager
    def _watching(self) -> Iterator[None]:
        tracer, profiler = sys.gettrace(), sys.getprofile()
        was_collecting = gc.isenabled()
        gc.disable()  # what finalizers of others do is no step of this work
        sys.setprofile(self._profile)
        sys.settrace(self._enter)
        try:
            yield
        finally:
            sys.settrace(tracer)
            sys.setprofile(profiler)
            if was_collecting:
                gc.enable()

    def _enter(self, frame: FrameType, event: str, argument: object) -> Callable[..., Any]:
        frame.f_trace_lines, frame.f_trace_opcodes = False, True
        return self._step

    def _step(self, frame: FrameType, event: str, argument: object) -> Callable[..., Any]:
        self.instructions += event == "opcode"
        return self._step

    def _profile(self, frame: FrameType, event: str, called: object) -> None:
        if event == "c_call":
            self.is_for_secrets |= _is_for_secrets(getattr(called, "__name__", ""))


def _sending(steps: Generator[Any, Any, Any], value: object) -> Callable[[], Any]:
    return lambda: steps.send(value)


def _throwing(steps: Generator[Any, Any, Any], error: BaseException) -> Callable[[], Any]:
    return lambda: steps.throw(error)


def _is_for_secrets(name: str) -> bool:
    """``hmac.compare_digest``, and what libraries of cryptography call ``verify``."""
    return name.endswith("compare_digest") or name.startswith("verify")
