"""The costliest inputs that are known, by the function that reads them: the table of ``tests/test_cost.py``."""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

MAX_DATAGRAM: Final = 2048
MAX_HEAD: Final = 16 * 1024
MAX_MESSAGE: Final = 64 * 1024

Arguments = tuple[Any, ...]
Make = Callable[[int], Arguments]


class Row(NamedTuple):
    """What one function reads, and what that may cost."""

    function: Callable[..., object]
    longest: int
    """Bytes or characters of an input, at most."""
    milliseconds: float
    inputs: Mapping[str, Make]
    """What makes the arguments of an input of about so many bytes, by what is bad about it."""


def datagram(function: Callable[..., object], inputs: Mapping[str, Make], longest: int = MAX_DATAGRAM) -> Row:
    """Of a function that reads a datagram, or a part of one."""
    return Row(function, longest, 1, inputs)


def head(function: Callable[..., object], inputs: Mapping[str, Make], longest: int = MAX_HEAD) -> Row:
    """Of a function that reads an HTTP head, or a part of one."""
    return Row(function, longest, 2, inputs)


def message(
    function: Callable[..., object], inputs: Mapping[str, Make], longest: int = MAX_MESSAGE, milliseconds: float = 2
) -> Row:
    """Of a function that reads a message of a WebSocket, a body, or a part of one."""
    return Row(function, longest, milliseconds, inputs)


def filled(unit: bytes | str, before: bytes | str = "", after: bytes | str = "") -> Make:
    """Inputs that repeat ``unit``, all text or all bytes."""
    empty = unit[:0]
    start, end = before or empty, after or empty

    def make(size: int) -> Arguments:
        return (start + unit * ((size - len(start) - len(end)) // len(unit)) + end,)  # type: ignore[operator]

    return make
