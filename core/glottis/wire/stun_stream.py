"""STUN and ChannelData messages on a stream, RFC 8489 §6.2.2 and RFC 8656 §12.5: cut apart by their lengths."""

from typing import Final

from glottis.contracts.errors import Malformed

MAX_MESSAGE: Final = 2048
"""Bytes of a message that is kept, as much as is read of a datagram. Longer ones are no fault of the server, for any
peer may send it a long datagram to relay; they are skipped."""

_HEAD: Final = 4
"""Bytes that tell a message's kind and length."""
_STUN_HEADER: Final = 20
_MAGIC_COOKIE: Final = b"\x21\x12\xa4\x42"


class StunStream:
    """What has come of a stream and is no whole message yet: ``MAX_MESSAGE`` bytes at most."""

    def __init__(self) -> None:
        self.skipped = 0
        """Messages that were too long."""
        self._buffer = bytearray()
        self._to_skip = 0
        """Bytes of such a message that have not come yet."""

    def feed_untrusted(self, data: bytes) -> list[bytes]:
        """Take what was read; returns the messages that are whole now, ChannelData with its padding.

        Raises ``Malformed`` if the stream carries something else, or a lie about a length: nothing in it can be found
        any more.
        """
        skipped = min(self._to_skip, len(data))
        self._to_skip -= skipped
        buffer = self._buffer
        buffer += data[skipped:]
        messages: list[bytes] = []
        position = 0
        while len(buffer) - position >= _HEAD:
            following = position + _length_untrusted(buffer, position)
            if following - position > MAX_MESSAGE:
                self.skipped += 1
                self._to_skip = max(0, following - len(buffer))
            elif following > len(buffer):
                break
            else:
                messages.append(bytes(buffer[position:following]))
            position = following
        del buffer[:position]
        return messages


def for_stream(message: bytes) -> bytes:
    """A message as a stream carries it: ChannelData is padded there (RFC 8656 §12.5); STUN needs no padding."""
    return message + bytes(-len(message) % 4)


def _length_untrusted(buffer: bytearray, position: int) -> int:
    """Of the message that begins here, with its padding."""
    kind, length = buffer[position], int.from_bytes(buffer[position + 2 : position + 4])
    if kind < 64:
        cookie = buffer[position + 4 : position + 8]
        if length % 4 or not _MAGIC_COOKIE.startswith(cookie):
            raise Malformed("STUN stream: expected a length in words and the magic cookie")
        return _STUN_HEADER + length
    if kind < 80:
        return _HEAD + (length + 3 & ~3)
    raise Malformed("STUN stream: expected STUN or ChannelData")
