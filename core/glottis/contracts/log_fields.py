"""What log records are about, beside their text: known to all that is called, and to all tasks that are begun, beneath.

What comes from the wheel or a socket is in nobody's task: whoever logs there has kept the fields of when it was made.
"""

from collections.abc import Callable
from contextvars import ContextVar
from functools import update_wrapper
from typing import Concatenate, Final, NamedTuple, ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class LogFields(NamedTuple):
    """Each is empty where there is none."""

    session: str = ""
    campaign: str = ""
    request: str = ""
    """The id of the HTTP request that it was begun with."""


NO_FIELDS: Final = LogFields()
_FIELDS: Final = ContextVar("log_fields", default=NO_FIELDS)


def log_fields() -> LogFields:
    """Those that hold here."""
    return _FIELDS.get()


def set_log_fields(fields: LogFields) -> None:
    """From now on these hold, in this task and those that it begins."""
    _FIELDS.set(fields)


class logged_as:  # noqa: N801  # as it reads where it is used; a generator would take 400 bytes more of each session
    """Within this block these hold."""

    __slots__ = ("_fields", "_token")

    def __init__(self, fields: LogFields) -> None:
        self._fields = fields

    def __enter__(self) -> None:
        self._token = _FIELDS.set(self._fields)

    def __exit__(self, *exception: object) -> None:
        _FIELDS.reset(self._token)


class _HasFields(Protocol):
    @property
    def fields(self) -> LogFields: ...


S = TypeVar("S", bound=_HasFields)


def logged(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """Of a method: within it, the ``fields`` of its object hold."""

    def told(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        token = _FIELDS.set(self.fields)
        try:
            return method(self, *args, **kwargs)
        finally:
            _FIELDS.reset(token)

    update_wrapper(told, method)

    return told
