"""Cuts what is said, in chunks of any length, to the frames that a codec encodes."""

from glottis.contracts.audio import BYTES_PER_SAMPLE


class Framer:
    """Signed 16-bit mono goes in, frames of ``frame_seconds`` come out; what is less than a frame waits for the rest.

    Ask ``overdue`` in each tick: the rest of a sentence is not to wait for the next one.
    """

    __slots__ = ("_bytes_per_second", "_frame_bytes", "_has_waited", "rest")

    def __init__(self, sample_rate: int, frame_seconds: float) -> None:
        self._frame_bytes = round(sample_rate * frame_seconds) * BYTES_PER_SAMPLE
        self._bytes_per_second = sample_rate * BYTES_PER_SAMPLE
        self.rest = b""
        """Less than a frame, the newest samples."""
        self._has_waited = False

    @property
    def silence(self) -> bytes:
        """A frame of it."""
        return bytes(self._frame_bytes)

    @property
    def waiting(self) -> float:
        """Seconds of audio that wait for the rest of their frame."""
        return len(self.rest) / self._bytes_per_second

    def cut(self, pcm: bytes) -> list[bytes]:
        """The whole frames, with what has waited before them. Raises ``ValueError`` for half a sample."""
        if len(pcm) % BYTES_PER_SAMPLE:
            raise ValueError(f"expected whole samples of {BYTES_PER_SAMPLE} bytes, got {len(pcm)} bytes")
        self._has_waited = False
        size = self._frame_bytes
        if len(pcm) == size and not self.rest:
            return [pcm]
        pcm = self.rest + pcm
        whole = len(pcm) - len(pcm) % size
        self.rest = pcm[whole:]
        return [pcm[start : start + size] for start in range(0, whole, size)]

    def overdue(self) -> bytes | None:
        """What waits, padded, if nothing has come for it since this was asked last; else None."""
        if self.rest and self._has_waited:
            return self.pad()
        self._has_waited = True
        return None

    def pad(self) -> bytes | None:
        """What waits, as a frame that ends in silence; None if nothing does."""
        rest, self.rest = self.rest, b""
        return rest.ljust(self._frame_bytes, b"\0") if rest else None

    def clear(self) -> None:
        """Drop what waits."""
        self.rest = b""
