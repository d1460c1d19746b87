"""Failures of plugins in messages and logs: whatever an error is, telling of it is safe and short."""

import logging
from collections.abc import Iterator
from itertools import islice
from types import TracebackType
from typing import Final

from glottis.barrier import split
from glottis.contracts.errors import PluginError

MAX_DESCRIPTION: Final = 500
"""Characters of what an error says of itself that a message repeats: it may quote its whole input."""
_MAX_TEXT: Final = 4096
"""Characters of each error that a traceback may show."""
_MAX_RELATED: Final = 32
"""Errors that a traceback may show: one, its causes, and the members of a group."""
_MAX_DESCRIBED: Final = 4
"""Of these, how many are described where they cannot be shown."""
_MAX_FRAMES: Final = 24
"""Entries of a traceback that are shown of either end: endless recursion has a thousand."""


class Unpresentable(Exception):
    """Stands in for an error that cannot say what it is, says too much, or has too many others with it."""


def describe(error: BaseException) -> str:
    """Its type and its message."""
    return f"{type(error).__name__}: {message_of(error)}"


def message_of(error: BaseException) -> str:
    """What it says of itself, perhaps cut short."""
    text = _text(error)
    if text is None:
        return "(cannot say what it is)"
    return text if len(text) <= MAX_DESCRIPTION else f"{text[:MAX_DESCRIPTION]}… ({len(text)} characters)"


def blamed(error: BaseException, whose: str) -> PluginError:
    """The error to raise in place of ``error``, for ``except BaseException``; raises what is not the plugin's fault.

    ``whose`` names the plugin and what it was asked for.
    """
    passing, failure = split(error)
    if passing is not None:
        try:
            raise passing from failure
        finally:
            del error, passing, failure  # as in ``barrier.stop``
    return PluginError(f"{whose} raised {describe(error)}")


def log_failure(logger: logging.Logger, error: BaseException, message: str, *arguments: object) -> None:
    """Log an error with its traceback; never raises.

    Then the traceback is let go, and the frames with it: who raises one and the same error in call after call would
    else keep them all.
    """
    related = list(islice(_related(error), _MAX_RELATED + 1))
    for each in related:
        each.__traceback__ = _shortened(each.__traceback__)
    try:
        logger.error(message, *arguments, exc_info=_presentable(error, related))
    except Exception as problem:
        logger.error(f"{message} (its traceback cannot be shown: %s)", *arguments, type(problem).__name__)
    finally:
        for each in related:
            each.__traceback__ = None


def _text(error: BaseException) -> str | None:
    try:
        return str(error)
    except KeyboardInterrupt:
        raise
    except BaseException:
        return None


def _related(error: BaseException) -> Iterator[BaseException]:
    """The error, and all that a traceback shows with it."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        each = waiting.pop(0)
        if each is not None and id(each) not in seen:
            seen.add(id(each))
            yield each
            members = each.exceptions[:_MAX_RELATED] if isinstance(each, BaseExceptionGroup) else ()
            waiting += [each.__cause__, each.__context__, *members]


def _presentable(error: BaseException, related: list[BaseException]) -> BaseException:
    """The error, if it can be printed with all that belongs to it."""
    texts = [_text(each) for each in related]
    if len(related) <= _MAX_RELATED and all(text is not None and len(text) <= _MAX_TEXT for text in texts):
        return error
    innermost = [each.__traceback__ for each in related if each.__traceback__ is not None][-1:]
    descriptions = " < ".join(map(describe, related[:_MAX_DESCRIBED]))
    return Unpresentable(descriptions).with_traceback(innermost[0] if innermost else None)


def _shortened(traceback: TracebackType | None) -> TracebackType | None:
    """Its two ends."""
    entries: list[TracebackType] = []
    while traceback is not None:
        entries.append(traceback)
        traceback = traceback.tb_next
    if len(entries) <= 2 * _MAX_FRAMES:
        return entries[0] if entries else None
    shortened = None
    for entry in reversed(entries[:_MAX_FRAMES] + entries[-_MAX_FRAMES:]):
        shortened = TracebackType(shortened, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    return shortened
