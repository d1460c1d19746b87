"""What a WebSocket's peer has begun to send, and how much of it (RFC 6455 §5.2)."""

from typing import Final

from glottis.contracts.errors import Malformed

_CONTROL_FRAME: Final = 0x08
_FIN: Final = 0x80
_LENGTH: Final = 0x7F
_EXTENDED_LENGTHS: Final = {126: 2, 127: 8}
_MASKED: Final = 0x80


class FrameMeter:
    """Follows the frames in a byte stream without keeping them, and cuts it between them; refuses costly messages.

    wsproto has no bounds: it gathers empty fragments without end, and tells nobody that a message has begun.
    """

    def __init__(self, max_message_bytes: int, max_message_fragments: int) -> None:
        self._max_message_bytes = max_message_bytes
        self._max_message_fragments = max_message_fragments
        self.control_frames = 0
        """How many have begun."""
        self._header = bytearray()
        self._payload_left = 0
        self._message_bytes = 0
        self._message_fragments = 0

    @property
    def is_between_messages(self) -> bool:
        """Whether nothing has begun: no message, and no control frame."""
        return not (self._header or self._payload_left or self._message_fragments)

    def take_untrusted(self, data: bytes, start: int = 0) -> int:
        """Take the bytes from ``start`` to the end of the frame that they belong to, and say where that is.

        Raises ``Malformed`` as soon as a header announces too long a message.
        """
        position = start
        while position < len(data):
            if not self._payload_left:
                self._header.append(data[position])
                position += 1
                if len(self._header) < self._header_length():
                    continue
                self._begin_frame_untrusted()
                self._header.clear()
            taken = min(self._payload_left, len(data) - position)
            self._payload_left -= taken
            position += taken
            if not self._payload_left:
                break
        return position

    def _header_length(self) -> int:
        if len(self._header) < 2:
            return 2
        mask = 4 if self._header[1] & _MASKED else 0
        return 2 + _EXTENDED_LENGTHS.get(self._header[1] & _LENGTH, 0) + mask

    def _begin_frame_untrusted(self) -> None:
        length = self._header[1] & _LENGTH
        if length in _EXTENDED_LENGTHS:
            length = int.from_bytes(self._header[2 : 2 + _EXTENDED_LENGTHS[length]], "big")
        self._payload_left = length
        if self._header[0] & _CONTROL_FRAME:
            self.control_frames += 1
        else:
            self._count_untrusted(length, final=bool(self._header[0] & _FIN))

    def _count_untrusted(self, length: int, *, final: bool) -> None:
        self._message_bytes += length
        self._message_fragments += 1
        if self._message_bytes > self._max_message_bytes:
            raise Malformed(f"message: longer than {self._max_message_bytes} bytes")
        if self._message_fragments > self._max_message_fragments:
            raise Malformed(f"message: more than {self._max_message_fragments} fragments")
        if final:
            self._message_bytes = self._message_fragments = 0
