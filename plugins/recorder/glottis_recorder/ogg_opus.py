"""An Ogg Opus file of two channels, of packets as they are: one stream in Ogg, with a mono stream of Opus for each.

All packets in one of Ogg's last equally long (RFC 7845 §5.1), so time goes by slots of 20 ms, and a packet begins up to
10 ms off its time, always by as much. What is no Opus, or not in frames of 20 ms, is encoded anew.
"""

import os
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from glottis import CodecSpec, EncoderSettings, Malformed

from glottis_recorder import ogg
from glottis_recorder.opus_frames import SILENCE, SLOT, OpusFrames, opus_frames_untrusted, self_delimited
from glottis_recorder.timeline import RATE
from glottis_recorder.unfinished import create, finish
from glottis_recorder.voices import BYTES_PER_SAMPLE, Placed, Voice
from glottis_recorder.wav import write_all

PACKETS_PER_PAGE: Final = 50
MAX_LOST: Final = 6
"""Slots that a decoder is to fill in where packets are lost; what is lost beyond is silent."""
MAX_PACKET_SEGMENTS: Final = 2 * 1278 // 255 + 1
"""Of two frames of the largest size."""
_SLOT_BYTES: Final = SLOT * BYTES_PER_SAMPLE


class Channel:
    """Frames of one direction that are not written yet, by their slots."""

    def __init__(self, opus: CodecSpec) -> None:
        self.end = 0
        """The slot after the last frame."""
        self._frames: dict[int, bytes] = {}
        self._opus = opus
        self._reencoder: Reencoder | None = None

    def add(self, packet: Placed) -> None:
        """After those before it."""
        frames = _usable(packet)
        if frames is None:
            self._reencoder = self._reencoder or Reencoder(self._opus)
            for slot, frame in self._reencoder.frames(packet):
                self._put(slot, frame)
            return
        self.finish()
        first = round(packet.position / SLOT)
        if packet.was_lost and 0 < first - self.end <= MAX_LOST:
            for slot in range(self.end, first):
                self._put(slot, bytes([frames.toc]))  # "lost", which decoders conceal (RFC 7845 §4.1)
        for index, frame in enumerate(frames.frames):
            self._put(first + index, bytes([frames.toc]) + frame)

    def finish(self) -> None:
        """Encode what waits for the rest of a frame."""
        if self._reencoder is not None:
            for slot, frame in self._reencoder.rest():
                self._put(slot, frame)
            self._reencoder = None

    def take(self, slot: int) -> bytes:
        """The frame of a slot, as a packet; what comes for it later is too late."""
        self.end = max(self.end, slot + 1)
        return self._frames.pop(slot, SILENCE)

    def _put(self, slot: int, frame: bytes) -> None:
        if slot >= self.end:
            self._frames[slot] = frame
            self.end = slot + 1


def _usable(packet: Placed) -> OpusFrames | None:
    """The frames of a packet, if they can stay as they are."""
    if packet.codec.encoding_name.lower() != "opus":
        return None
    try:
        frames = opus_frames_untrusted(packet.payload)
    except Malformed:
        return None
    return frames if frames.duration == SLOT else None


class Reencoder:
    """Makes frames of 20 ms of any packets."""

    def __init__(self, opus: CodecSpec) -> None:
        self._voice = Voice(RATE)
        self._encoder = opus.create_encoder(EncoderSettings(sample_rate=RATE))
        self._pcm = bytearray()
        self._slot = 0
        """Where these samples begin."""
        self._end = -1
        """The position after the last of them."""

    def frames(self, packet: Placed) -> Iterator[tuple[int, bytes]]:
        """Those that are whole now, each with its slot."""
        for position, pcm in self._voice.samples(packet):
            if position != self._end:
                yield from self.rest()
                self._slot = max(self._slot, round(position / SLOT))
            self._pcm += pcm
            self._end = position + len(pcm) // BYTES_PER_SAMPLE
            yield from self._whole()

    def rest(self) -> Iterator[tuple[int, bytes]]:
        """What is not whole, with silence after it."""
        if self._pcm:
            self._pcm += bytes(_SLOT_BYTES - len(self._pcm))
            yield from self._whole()

    def _whole(self) -> Iterator[tuple[int, bytes]]:
        while len(self._pcm) >= _SLOT_BYTES:
            packet = self._encoder.encode(bytes(self._pcm[:_SLOT_BYTES]))
            del self._pcm[:_SLOT_BYTES]
            yield self._slot, packet or SILENCE
            self._slot += 1


class OggFile:
    """The first channel is the caller, the second the agent. Raises ``OSError`` as the disk does."""

    def __init__(self, path: Path, opus: CodecSpec, comments: Sequence[str] = ()) -> None:
        self._path = path
        self._file = create(path)
        self._channels = (Channel(opus), Channel(opus))
        self._serial = secrets.randbits(32)
        self._pages = 0
        self._size = 0
        """Bytes of whole pages."""
        self._written = 0
        """Slots."""
        self._write_page([ogg.opus_head()], ogg.BEGINS)
        self._write_page([ogg.opus_tags(comments)])

    def add(self, channel: int, packet: Placed) -> None:
        """Of one direction, in order."""
        self._channels[channel].add(packet)

    def write(self, until: int) -> None:
        """Write what is before this position, in samples at 48 kHz: nothing of it is to come any more."""
        self._write_slots(until // SLOT, 0)

    def close(self, until: int) -> None:
        """Write all, at least up to this position."""
        for channel in self._channels:
            channel.finish()
        last = max(-(-until // SLOT), *(channel.end for channel in self._channels), self._written + 1)
        self._write_slots(last, ogg.ENDS)
        finish(self._path, self._file)

    def abandon(self) -> None:
        """Nothing more can be written: leave what is."""
        os.ftruncate(self._file, self._size)
        finish(self._path, self._file)

    def _write_slots(self, end: int, last_flags: int) -> None:
        while self._written < end:
            packets: list[bytes] = []
            segments, slot = 0, self._written
            while slot < end and len(packets) < PACKETS_PER_PAGE:
                packet = self_delimited(self._channels[0].take(slot)) + self._channels[1].take(slot)
                segments += ogg.segments_of(packet)
                packets.append(packet)
                slot += 1
                if segments > ogg.MAX_SEGMENTS - MAX_PACKET_SEGMENTS:
                    break
            self._written = slot
            self._write_page(packets, last_flags if slot == end else 0)

    def _write_page(self, packets: Sequence[bytes], flags: int = 0) -> None:
        data = ogg.page(packets, self._written * SLOT, self._serial, self._pages, flags)
        write_all(self._file, data, self._size)
        self._size += len(data)
        self._pages += 1
