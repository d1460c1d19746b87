"""Resampling, a component that the core itself uses: uncompressed audio comes at any rate (CONTRACT §5)."""

from typing import Protocol


class Resampler(Protocol):
    """Converts one stream of signed 16-bit mono from one rate to another, without drift."""

    def resample(self, pcm: bytes) -> bytes:
        """The same time at the other rate, exactly and at once.

        ``pcm`` lasts up to 200 ms, and a multiple of a time in which both rates have whole samples: of 10 ms as a rule.
        """


class Resampling(Protocol):
    """Makes resamplers: a component kind, see ``ComponentSpec``."""

    def create_resampler(self, from_rate: int, to_rate: int) -> Resampler:
        """For a new stream. The rates in hertz are from 8000 to 48000, and have whole samples in 200 ms."""
