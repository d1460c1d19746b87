"""A lamp by ``/sys/class/leds`` (Documentation/leds/leds-class.rst of Linux)."""

from pathlib import Path
from typing import Annotated

import msgspec


class SysfsConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the lamp."""

    led: Annotated[str, msgspec.Meta(min_length=1)]
    lit: tuple[str, ...] = ("listening", "speaking")
    directory: str = "/sys/class/leds"


class SysfsLamp:
    """The ``Lamp`` named ``sysfs``: on in some states, off in all others."""

    def __init__(self, config: SysfsConfig) -> None:
        self._folder = Path(config.directory) / config.led
        self._lit = config.lit

    def show(self, state: str) -> None:
        """See ``glottis.Lamp.show``."""
        most = (self._folder / "max_brightness").read_text().strip()
        (self._folder / "brightness").write_text(most if state in self._lit else "0")
