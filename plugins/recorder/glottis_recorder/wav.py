"""A WAV file of two channels that can be played at any moment, whatever becomes of its writer."""

import os
from array import array
from pathlib import Path
from typing import Final

from glottis_recorder.timeline import RATE
from glottis_recorder.unfinished import create, finish
from glottis_recorder.voices import BYTES_PER_SAMPLE, Placed, Voice
from glottis_recorder.wav_header import FRAME, SIZE, header_of

MAX_BYTES: Final = 0xFFFFFF00
"""What 32-bit lengths can tell; what comes after that is not written."""


class Channel:
    """Samples of one direction that are not written yet."""

    def __init__(self) -> None:
        self._begin = 0
        self._pcm = bytearray()

    @property
    def end(self) -> int:
        """In samples."""
        return self._begin + len(self._pcm) // BYTES_PER_SAMPLE

    def put(self, position: int, pcm: bytes) -> None:
        """After silence up to there; what belongs before the end of the others comes too late."""
        late = max(0, self.end - position)
        self._pcm += bytes(max(0, position - self.end) * BYTES_PER_SAMPLE)
        self._pcm += pcm[late * BYTES_PER_SAMPLE :]

    def take(self, count: int) -> "array[int]":
        """So many samples, with silence after the last."""
        size = count * BYTES_PER_SAMPLE
        taken = array("h", bytes(self._pcm[:size]).ljust(size, b"\0"))
        del self._pcm[:size]
        self._begin += count
        return taken


class WavFile:
    """The first channel is the caller, the second the agent. Raises ``OSError`` as the disk does."""

    def __init__(self, path: Path, sample_rate: int) -> None:
        self._rate = sample_rate
        self._path = path
        self._file = create(path)
        self._voices = (Voice(sample_rate), Voice(sample_rate))
        self._channels = (Channel(), Channel())
        self._written = 0
        """Samples of each channel."""
        self._write_header()

    def add(self, channel: int, packet: Placed) -> None:
        """Of one direction, in order."""
        if self._written >= MAX_BYTES // FRAME:
            return
        for position, pcm in self._voices[channel].samples(packet):
            self._channels[channel].put(position, pcm)

    def write(self, until: int) -> None:
        """Write what is before this position, in samples at 48 kHz: nothing of it is to come any more."""
        end = min(until * self._rate // RATE, MAX_BYTES // FRAME)
        try:
            while self._written < end:
                count = min(self._rate, end - self._written)
                both = array("h", bytes(count * FRAME))
                both[0::2], both[1::2] = (channel.take(count) for channel in self._channels)
                write_all(self._file, both.tobytes(), SIZE + self._written * FRAME)
                self._written += count
        finally:
            self._write_header()

    def close(self, until: int) -> None:
        """Write all, at least up to this position."""
        self.write(max(until, *(channel.end * RATE // self._rate for channel in self._channels)))
        finish(self._path, self._file)

    def abandon(self) -> None:
        """Nothing more can be written: leave what is."""
        os.ftruncate(self._file, SIZE + self._written * FRAME)
        finish(self._path, self._file)

    def _write_header(self) -> None:
        """The lengths follow what is written, never the other way round."""
        write_all(self._file, header_of(self._rate, self._written * FRAME), 0)


def write_all(file: int, data: bytes, offset: int) -> None:
    """At this place in the file. Raises ``OSError``."""
    view = memoryview(data)
    while view:
        count = os.pwrite(file, view, offset)
        view, offset = view[count:], offset + count
