"""A seeded model of what networks do to datagrams: loss, delay, jitter, reordering and duplication.

Sans-I/O: it says when copies of a datagram arrive; who carries them is the caller's business.
"""

import random
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Impairments:
    """Probabilities are 0–1, times are seconds. The default is a perfect network."""

    loss: float = 0.0
    duplication: float = 0.0
    delay: float = 0.0
    jitter: float = 0.0
    """Up to this much is added to ``delay``, uniformly; arrival order may change."""

    def arrivals(self, sent_at: float, rng: random.Random) -> list[float]:
        """When the copies of a datagram sent at ``sent_at`` arrive: none, one or two times."""
        copies = 1 + (rng.random() < self.duplication)
        return [
            sent_at + self.delay + rng.uniform(0.0, self.jitter) for _ in range(copies) if rng.random() >= self.loss
        ]


PERFECT: Final = Impairments()
