"""Where errors stop: the one barrier, of which every boundary to a plugin, connection and session is made.

Plugins may raise anything at all: a native library's panic that is no ``Exception``, a ``SystemExit`` in a group, the
``CancelledError`` of another event loop. All of it stops at the smallest owner. Only two things pass, because they are
nobody's failure: the cancellation of the task that is here, and the operator's ``KeyboardInterrupt``.
"""

import math
from collections.abc import Callable

import trio


def stop(error: BaseException, handle: Callable[[BaseException], object]) -> None:
    """For ``except BaseException as error``: give ``handle`` what of it is to stop here, and raise what is to pass."""
    passing, failure = split(error)
    try:
        if failure is not None:
            handle(failure)
    finally:
        if passing is not None:
            try:
                raise passing
            finally:
                del error, passing, failure  # this frame is in their tracebacks: to hold them would close a circle


def split(error: BaseException) -> tuple[BaseException | None, BaseException | None]:
    """What of an error, or a group of them, is to pass, and what has failed."""
    passing = (KeyboardInterrupt, trio.Cancelled) if _is_cancelled() else (KeyboardInterrupt,)
    if not isinstance(error, BaseExceptionGroup):
        return (error, None) if isinstance(error, passing) else (None, error)
    try:
        part, rest = error.split(passing)
    except Exception:  # nested beyond recursion, or of a class of its own that makes no parts
        return None, error
    return (None, error) if part is None else (part, rest)


def _is_cancelled() -> bool:
    """Whether the running task is: else a ``Cancelled`` is one that somebody has kept, and a failure like others."""
    try:
        return trio.current_effective_deadline() == -math.inf
    except RuntimeError:  # without trio, nobody is cancelled
        return False
