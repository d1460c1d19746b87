"""Datagrams on a stream, RFC 4571 §2 as RFC 6544 §3 uses it: each behind its length, in 16 bits."""

from typing import Final

from glottis.contracts.errors import Malformed

MAX_FRAME: Final = 2048
"""Bytes, as much as is read of a datagram. No peer has a reason for more."""

_LENGTH: Final = 2


class StreamFrames:
    """What has come of a stream and is no whole frame yet: ``MAX_FRAME`` bytes at most."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed_untrusted(self, data: bytes) -> list[bytes]:
        """Take what was read; returns the frames that are whole now, without empty ones (null packets, RFC 4571 §2).

        Raises ``Malformed`` if one is said to be longer than any datagram: such a stream carries something else.
        """
        buffer = self._buffer
        buffer += data
        frames: list[bytes] = []
        position = 0
        while len(buffer) - position >= _LENGTH:
            start = position + _LENGTH
            end = start + int.from_bytes(buffer[position:start])
            if end - start > MAX_FRAME:
                raise Malformed(f"stream: expected frames of at most {MAX_FRAME} bytes")
            if end > len(buffer):
                break
            if end > start:
                frames.append(bytes(buffer[start:end]))
            position = end
        del buffer[:position]
        return frames


def framed(datagram: bytes) -> bytes:
    """A datagram as a stream carries it."""
    return len(datagram).to_bytes(_LENGTH) + datagram
