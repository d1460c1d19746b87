"""Checks of what plugins hand over: who breaks a rule gets a ``ValueError`` that names it, at once and not later."""

import math
import sys
from collections.abc import Mapping
from types import UnionType
from typing import Final

import msgspec

_INT16_FORMATS: Final = ("h", "@h", "=h", "<h" if sys.byteorder == "little" else ">h")
"""What buffers call signed 16-bit integers in the machine's byte order (PEP 3118)."""


def bytes_of(what: str, value: object) -> bytes:
    """The content of any buffer."""
    return value if type(value) is bytes else _view(what, value).tobytes()


def pcm_of(what: str, value: object) -> bytes:
    """The samples in a buffer: signed 16-bit integers in one row, or bytes that hold such."""
    if type(value) is bytes:
        return value
    view = _view(what, value)
    if view.format not in ("B", *_INT16_FORMATS):
        raise ValueError(
            f"{what}: expected signed 16-bit samples in the machine's byte order, "
            f"got a buffer of the format {view.format!r}: convert them"
        )
    if view.nbytes != max(view.shape or (), default=0) * view.itemsize:
        raise ValueError(f"{what}: expected mono samples in one row, got an array of the shape {view.shape}")
    return view.tobytes()


def check_text(what: str, value: object) -> None:
    """Unicode text, which can be sent."""
    check_instance(what, value, str)
    try:
        str(value).encode()
    except UnicodeEncodeError:
        raise ValueError(f"{what}: expected Unicode text, got one with half of a surrogate pair") from None


def check_name(what: str, value: object, longest: float = math.inf) -> None:
    """A string of 1 to ``longest`` characters that fits into a line of a log, header or description."""
    check_instance(what, value, str)
    if (length := len(str(value))) > longest:
        raise ValueError(f"{what}: expected at most {longest} characters, got {length}")
    if not value or not str(value).isprintable():
        raise ValueError(f"{what}: expected a name in one line, got {value!r}")


def check_integer(what: str, value: object, least: float = -math.inf, most: float = math.inf) -> None:
    """A whole number from ``least`` to ``most``."""
    if not isinstance(value, int):
        raise ValueError(f"{what}: expected an integer, got {type(value).__name__}")
    if not least <= value <= most:
        bounds = f"of at least {least}" if most == math.inf else f"from {least} to {most}"
        raise ValueError(f"{what}: expected an integer {bounds}, got {value}")


def check_seconds(what: str, value: object) -> None:
    """A length of time above 0."""
    if not isinstance(value, int | float) or not value > 0:
        raise ValueError(f"{what}: expected a number of seconds above 0, got {value!r}")


def probability_of(what: str, value: object) -> float:
    """A number from 0 to 1, of whatever type: numpy has its own."""
    try:
        probability = float(value)  # type: ignore[arg-type]
    except Exception:
        probability = math.nan
    if not 0 <= probability <= 1:
        raise ValueError(f"{what}: expected a probability from 0 to 1, got {type(value).__name__}")
    return probability


def check_callable(what: str, value: object) -> None:
    """A function, or what can be called like one."""
    if not callable(value):
        raise ValueError(f"{what}: expected a function, got {type(value).__name__}")


def check_config_type(what: str, value: object) -> None:
    """A type of settings, or None."""
    if value is not None and not (isinstance(value, type) and issubclass(value, msgspec.Struct)):
        raise ValueError(f"{what}: expected a subclass of msgspec.Struct, got {_named(value)}")


def _named(value: object) -> str:
    """Short, whatever it is."""
    return value.__name__ if isinstance(value, type) else type(value).__name__


def check_instance(what: str, value: object, expected: type | UnionType) -> None:
    """A value of the type ``expected``. The message does not quote it: it may be a secret."""
    if not isinstance(value, expected):
        raise ValueError(f"{what}: expected {getattr(expected, '__name__', expected)}, got {type(value).__name__}")


def check_texts(what: str, value: object) -> Mapping[str, str]:
    """A mapping from strings to strings."""
    if not isinstance(value, Mapping):
        raise ValueError(f"{what}: expected a mapping, got {type(value).__name__}")
    for name, text in value.items():
        check_instance(what, name, str)
        check_instance(f"{what}[{name!r}]", text, str)
    return value


def _view(what: str, value: object) -> memoryview:
    try:
        return memoryview(value)  # type: ignore[arg-type]
    except TypeError:
        raise ValueError(f"{what}: expected bytes or another buffer, got {type(value).__name__}") from None
