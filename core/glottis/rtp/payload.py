"""What stands between codec frames and the payloads of RTP, by payload type."""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Protocol

from glottis.contracts.audio import EncodedPacket
from glottis.contracts.codec import CodecSpec
from glottis.contracts.errors import Malformed

MAX_PACKET_DURATION: Final = 0.2
"""Seconds, "a receiver SHOULD accept packets representing between 0 and 200 ms of audio data" (RFC 3551 §4.2)."""
MAX_PAYLOAD_LENGTH: Final = 1160
"""Bytes that are sent; with the headers of IPv6, UDP, RTP and SRTP, and 40 bytes of header extensions, they fit the
smallest path of IPv6, 1280 bytes."""


PacketWatch = Callable[[EncodedPacket, CodecSpec], None]
"""Is told of each packet of one direction of a call, within the media tick: see ``SessionObserver``."""


class BufferedPacket(NamedTuple):
    """A codec frame that waits. ``sequence`` and ``timestamp`` are extended, ``duration`` is in RTP clock units."""

    sequence: int
    timestamp: int
    duration: int
    payload: bytes
    codec: CodecSpec
    arrived_at: float
    is_copy: bool = False
    """Whether it came with a later packet, whose number is ``sequence``: of use if its own packet is lost."""
    audio_level: int | None = None
    """−dBov, as the header of its own packet tells it; None if it does not."""


class PayloadReader(Protocol):
    """Reads the payloads of one payload type."""

    @property
    def clock_rate(self) -> int:
        """Of the RTP timestamps, in hertz."""

    def read_untrusted(
        self, payload: bytes, sequence: int, timestamp: int, now: float, audio_level: int | None = None
    ) -> Sequence[BufferedPacket]:
        """The audio in a payload; nothing, where there is none in it. Raises ``Malformed``.

        ``audio_level`` is what the packet's header says of it: see ``BufferedPacket``.
        """


class PayloadWriter(Protocol):
    """Writes the payloads of one payload type."""

    @property
    def payload_type(self) -> int:
        """Of the payload written last, as negotiated."""

    def write(self, payload: bytes, timestamp: int) -> bytes:
        """The RTP payload that carries one codec frame."""


class PlainReader:
    """Of a codec's frames as they are. A payload without a frame is a keepalive."""

    __slots__ = ("clock_rate", "codec")

    def __init__(self, codec: CodecSpec) -> None:
        self.codec = codec
        self.clock_rate = codec.clock_rate

    def read_untrusted(
        self, payload: bytes, sequence: int, timestamp: int, now: float, audio_level: int | None = None
    ) -> Sequence[BufferedPacket]:
        """One packet as it came; see ``PayloadReader``."""
        if not payload:
            return ()
        codec = self.codec
        duration = codec.payload_duration_untrusted(payload)
        if not 0 < duration <= MAX_PACKET_DURATION * codec.clock_rate:
            raise Malformed("RTP: expected a payload of more than 0 and at most 200 ms")
        fields = sequence, timestamp, duration, payload, codec, now, False, audio_level
        return (tuple.__new__(BufferedPacket, fields),)  # as ``BufferedPacket`` itself does, one function later


class PlainWriter:
    """Of a codec's frames as they are."""

    __slots__ = ("payload_type",)

    def __init__(self, payload_type: int) -> None:
        self.payload_type = payload_type

    def write(self, payload: bytes, timestamp: int) -> bytes:
        """The frame; see ``PayloadWriter``."""
        return payload
