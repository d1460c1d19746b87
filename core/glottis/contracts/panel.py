"""Lamps and buttons, components that devices use. Each has a thread of its own, so that it may block."""

from typing import Final, Protocol

OFF: Final = "off"
"""What a lamp shows last: the device has ended."""
LAMP_STATES: Final = ("idle", "connecting", "waiting", "listening", "speaking", "trouble", OFF)
"""``waiting``: in the gateway's queue. ``listening``: in a call. ``speaking``: in a call, and the agent is heard."""


class Lamp(Protocol):
    """Shows how a device is: a component kind, see ``ComponentSpec``."""

    def show(self, state: str) -> None:
        """One of ``LAMP_STATES``. States that have passed while the one before was shown are left out."""


class Button(Protocol):
    """Somebody presses it: a component kind, see ``ComponentSpec``."""

    def wait(self) -> bool:
        """Block until it is pressed (true) or released (false); called again each time it has returned."""
