"""Which libopus is used: the one that the system has, or another one that the environment names."""

import ctypes
import os
from typing import Final

from glottis import LocalError

__all__ = ["FILE", "VARIABLE", "VERSION", "ffi", "lib"]

VARIABLE: Final = "OPUS_LIBRARY"
"""The file of a libopus, such as a newer one than the system's."""


def _load(named: str) -> None:
    """What is loaded with its names for all to see comes before the library that our module was linked to."""
    try:
        ctypes.CDLL(named, mode=ctypes.RTLD_GLOBAL)
    except OSError as error:
        raise LocalError(f"{VARIABLE}: expected the file of a libopus: {error}") from None


_named: Final = os.environ.get(VARIABLE)
if _named:
    _load(_named)
from ._opus import ffi, lib  # noqa: E402 - which needs the library


def _text(words: object) -> str:
    text = ffi.string(words)  # type: ignore[arg-type]
    assert isinstance(text, bytes)
    return text.decode()


FILE: Final = _text(lib.library_file())
"""Where it was loaded from."""
VERSION: Final = _text(lib.opus_get_version_string())
"""As it says itself: ``libopus 1.5.2``."""
if _named and not os.path.samefile(FILE, _named):
    raise LocalError(f"{VARIABLE}: {_named} is no libopus, and {FILE} is used instead")
