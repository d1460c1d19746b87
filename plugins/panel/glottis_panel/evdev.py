"""A button by an input device of Linux (Documentation/input/input.rst of the kernel)."""

import struct
from pathlib import Path
from typing import Annotated, BinaryIO, Final

import msgspec

EVENT: Final = struct.Struct("@llHHi")
"""``struct input_event``: seconds, microseconds, type, code and value, as wide as this machine has them."""
EV_KEY: Final = 1
RELEASED: Final = 0
PRESSED: Final = 1
"""A value of 2 is a key that repeats while it is held."""


class EvdevConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the button."""

    device: Annotated[str, msgspec.Meta(min_length=1)]
    key: Annotated[int, msgspec.Meta(ge=0, le=767)] | None = None


class EvdevButton:
    """The ``Button`` named ``evdev``."""

    def __init__(self, config: EvdevConfig) -> None:
        self._path = Path(config.device)
        self._key = config.key
        self._events: BinaryIO | None = None

    def wait(self) -> bool:
        """See ``glottis.Button.wait``; raises ``OSError`` where there is no device, or it is pulled out."""
        try:
            while True:
                value = self._next_value()
                if value in (RELEASED, PRESSED):
                    return value == PRESSED
        except OSError:
            self._close()
            raise

    def _next_value(self) -> int | None:
        """Of our key; of anything else, None."""
        self._events = self._events or self._path.open("rb", buffering=0)
        event = self._events.read(EVENT.size) or b""
        if len(event) < EVENT.size:
            raise OSError(f"{self._path}: the device has gone")
        _, _, kind, code, value = EVENT.unpack(event)
        return value if kind == EV_KEY and self._key in (None, code) else None

    def _close(self) -> None:
        if self._events is not None:
            self._events.close()
            self._events = None
