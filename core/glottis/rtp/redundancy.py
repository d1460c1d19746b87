"""Redundant audio, RFC 2198: packets that carry the frames of those before them, too."""

from collections.abc import Mapping, Sequence
from typing import Final

from glottis.contracts.errors import Malformed
from glottis.rtp.counters import PlayoutStatistics
from glottis.rtp.payload import MAX_PAYLOAD_LENGTH, BufferedPacket, PlainReader
from glottis.wire.red import (
    HEADER_LENGTH,
    MAX_BLOCK_LENGTH,
    MAX_TIMESTAMP_OFFSET,
    RedBlock,
    build_red,
    parse_red_untrusted,
)

MAX_OLDER_BLOCKS: Final = 8
"""Of a packet, that are read; those nearest to it. Nobody sends more, and each costs a look into the jitter buffer."""
MAX_LEVEL: Final = 2
"""Older frames in a packet that is sent."""
MAX_SPACING: Final = 2
"""Packets from one of them to the next."""


class RedReader:
    """Of payloads whose newest block is what one of ``readers`` reads, by payload type.

    There is at least one, and they have one clock rate. Blocks that are of no use (of another payload type, without a
    frame that lasts, too many) are skipped and counted.
    """

    __slots__ = ("_readers", "_statistics", "clock_rate")

    def __init__(self, readers: Mapping[int, PlainReader], statistics: PlayoutStatistics) -> None:
        self.clock_rate = next(iter(readers.values())).clock_rate
        self._readers = readers
        self._statistics = statistics

    def read_untrusted(
        self, payload: bytes, sequence: int, timestamp: int, now: float, audio_level: int | None = None
    ) -> Sequence[BufferedPacket]:
        """The newest frame, and then those before it, the nearest first; see ``PayloadReader``.

        Nothing says of which packet an older frame was: its sequence number is that of this packet. What stands for a
        packet that is lost is for the jitter buffer to see.
        """
        if not payload:
            return ()
        *older, newest = parse_red_untrusted(payload)
        reader = self._readers.get(newest.payload_type)
        if reader is None:  # RED within RED, too: nobody sends it, and RFC 2198 gives it no meaning
            raise Malformed("RED: the newest block is of a payload type that was not negotiated for it")
        packets = list(reader.read_untrusted(newest.payload, sequence, timestamp, now, audio_level))
        if packets:
            nearest = older[: -MAX_OLDER_BLOCKS - 1 : -1]
            self._statistics.red_blocks_skipped += len(older) - len(nearest)
            packets.extend(filter(None, (self._older_untrusted(block, packets[0]) for block in nearest)))
        return packets

    def _older_untrusted(self, block: RedBlock, newest: BufferedPacket) -> BufferedPacket | None:
        reader = self._readers.get(block.payload_type)
        timestamp = newest.timestamp - block.timestamp_offset
        if reader is not None and block.timestamp_offset and block.payload:
            try:
                frame = reader.read_untrusted(block.payload, newest.sequence, timestamp, newest.arrived_at)
            except Malformed:
                pass
            else:
                return frame[0]._replace(is_copy=True)
        self._statistics.red_blocks_skipped += 1
        return None


class RedWriter:
    """Of a codec's frames with up to ``level`` older ones, as far as they fit; with none, plain.

    A receiver takes both (RFC 2198 §5), and plain packets are a byte shorter. ``level`` may be set at any time, up to
    ``MAX_LEVEL``, and so may ``spacing``, up to ``MAX_SPACING``: how many packets ago the first of them was sent, and
    each before the one after it.
    """

    __slots__ = ("_older", "_primary_payload_type", "_red_payload_type", "level", "payload_type", "spacing")

    def __init__(self, red_payload_type: int, primary_payload_type: int) -> None:
        self.level = 0
        self.spacing = 1
        self.payload_type = primary_payload_type
        self._red_payload_type = red_payload_type
        self._primary_payload_type = primary_payload_type
        self._older: list[tuple[int, bytes]] = []
        """Timestamps and frames of what was sent last, the newest one first."""

    def write(self, payload: bytes, timestamp: int) -> bytes:
        """The payload; see ``PayloadWriter``."""
        older: list[RedBlock] = []
        if self.level:
            older = self._blocks(timestamp, MAX_PAYLOAD_LENGTH - 1 - len(payload))
            self._older = [(timestamp, payload), *self._older[: MAX_LEVEL * MAX_SPACING - 1]]
        elif self._older:
            self._older = []  # nothing is kept, nor done, for a clean path
        if not older:
            self.payload_type = self._primary_payload_type
            return payload
        self.payload_type = self._red_payload_type
        return build_red(older, self._primary_payload_type, payload)

    def _blocks(self, timestamp: int, room: int) -> list[RedBlock]:
        """The oldest first. Pauses in which nothing is sent (DTX) leave frames too old for the field, or for use."""
        blocks: list[RedBlock] = []
        last = self.level * self.spacing
        for sent_at, frame in self._older[self.spacing - 1 : last : self.spacing]:
            offset = (timestamp - sent_at) & 0xFFFFFFFF
            room -= HEADER_LENGTH + len(frame)
            if offset > MAX_TIMESTAMP_OFFSET or len(frame) > MAX_BLOCK_LENGTH or room < 0:
                break
            blocks.insert(0, RedBlock(self._primary_payload_type, offset, frame))
        return blocks
