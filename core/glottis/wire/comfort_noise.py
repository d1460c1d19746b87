"""Comfort noise, RFC 3389: the payload that tells how loud a pause is, so that the listener can make it up."""

from typing import Final

from glottis.contracts.errors import Malformed

_LEVEL: Final = 0x7F
"""The highest bit is always 0, RFC 3389 §3.1."""


def parse_comfort_noise_untrusted(payload: bytes) -> int:
    """The level in -dBov, 0–127; raises ``Malformed`` for an empty payload.

    The spectrum behind it is not looked at: "the decoder may reduce the model order" (RFC 3389 §3.3), and here to none.
    """
    if not payload:
        raise Malformed("comfort noise: expected a level")
    return payload[0] & _LEVEL


def build_comfort_noise(level: int) -> bytes:
    """The payload of white noise, whose ``level`` is in -dBov, 0–127."""
    return bytes([level])
