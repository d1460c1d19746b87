"""The keys that a caller presses, as numbers."""

from collections.abc import AsyncIterator, Callable
from typing import Final

import trio
from glottis import Call

KEYS_SECONDS: Final = 2.0
"""After which what was pressed is complete; the hash key completes it at once."""


async def numbers(call: Call, pressed: Callable[[], None]) -> AsyncIterator[str]:
    """Each as soon as it is complete. ``pressed`` is told of each key."""
    keys = ""
    while True:
        with trio.move_on_after(KEYS_SECONDS if keys else float("inf")):
            digit = (await anext(call.dtmf)).digit
            pressed()
            if digit != "#":
                keys += digit
                continue
        if keys:
            yield keys
        keys = ""
