"""The lamp ``sysfs`` and the button ``evdev`` of Linux, for ``glottis device``."""

from collections.abc import Sequence
from typing import Any

from glottis import Button, ComponentSpec, Lamp, hookimpl

from glottis_panel.evdev import EvdevButton, EvdevConfig
from glottis_panel.leds import SysfsConfig, SysfsLamp

__all__ = ["EvdevButton", "EvdevConfig", "SysfsConfig", "SysfsLamp"]


@hookimpl
def register_components() -> Sequence[ComponentSpec[Any]]:
    """The lamp ``sysfs`` and the button ``evdev``."""
    return [
        ComponentSpec(Lamp, "sysfs", SysfsLamp, SysfsConfig),
        ComponentSpec(Button, "evdev", EvdevButton, EvdevConfig),
    ]
