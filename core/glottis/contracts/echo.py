"""Echo cancellation, a component that devices use: their microphone hears their loudspeaker."""

from typing import Protocol


class EchoCanceller(Protocol):
    """Takes one loudspeaker's sound out of one microphone's."""

    def cancel(self, captured: bytes, played: bytes) -> bytes:
        """``captured`` without the echo of ``played``, and as long; both are 20 ms of signed 16-bit mono."""


class EchoCancelling(Protocol):
    """Makes echo cancellers: a component kind, see ``ComponentSpec``."""

    def create_canceller(self, sample_rate: int, tail_ms: int, noise_suppression_db: int) -> EchoCanceller:
        """For one microphone. An echo that comes up to ``tail_ms`` later is found; of steady noise up to so many dB go.

        The rate is in hertz; 0 dB leave noise alone.
        """
