"""Networks as they were once: what became of each packet, and when, kept in a file of JSON."""

import math
import random
from bisect import bisect_right
from itertools import pairwise
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from glottis.contracts.errors import ConfigurationError

FORMAT: Final = "glottis trace 1"


class Trace(Struct, frozen=True, kw_only=True):
    """``sent`` are seconds from the first packet on, in order; ``delays`` seconds beyond the quickest, None: lost.

    It begins anew when it is over.
    """

    format: str = FORMAT
    source: str = ""
    sent: tuple[float, ...]
    delays: tuple[float | None, ...]

    @property
    def seconds(self) -> float:
        """How long it is."""
        count = len(self.sent)
        return self.sent[-1] + (self.sent[-1] / (count - 1) if count > 1 and self.sent[-1] > 0 else 0.02)

    @property
    def summary(self) -> str:
        """In words."""
        late = sorted(1000 * delay for delay in self.delays if delay is not None) or [0.0]
        lost = sum(delay is None for delay in self.delays)
        most = late[int(0.95 * (len(late) - 1))]
        return (
            f"{self.seconds:.0f} s, {lost} of {len(self.sent)} packets lost, {late[len(late) // 2]:.0f} ms late in the "
            f"median, {most:.0f} ms at most in 95 of 100"
        )

    def arrivals(self, sent_at: float, rng: random.Random) -> list[float]:
        """See ``models.Model``: as the last packet that was sent then or before."""
        position = bisect_right(self.sent, sent_at % self.seconds + 1e-9) - 1
        delay = self.delays[max(0, position)]
        return [] if delay is None else [sent_at + delay]


def load_trace(path: Path) -> Trace:
    """Raises ``ConfigurationError`` for what is none."""
    try:
        trace = msgspec.json.decode(path.read_bytes(), type=Trace)
    except (OSError, msgspec.MsgspecError) as error:
        raise ConfigurationError(f"trace: {path}: {error}: `glottis lab trace` makes one of a capture") from None
    if trace.format != FORMAT or not trace.sent or len(trace.sent) != len(trace.delays):
        raise ConfigurationError(f"trace: {path}: expected {FORMAT!r} with as many delays as packets")
    if any(two < one for one, two in pairwise((0.0, *trace.sent))):
        raise ConfigurationError(f"trace: {path}: `sent` goes back, or is negative: it has to be in order, from 0 on")
    if any(delay is not None and not 0 <= delay < math.inf for delay in trace.delays):
        raise ConfigurationError(f"trace: {path}: `delays` are negative: they are seconds beyond the quickest packet")
    return trace


def save_trace(trace: Trace, path: Path) -> None:
    """As ``load_trace`` reads it."""
    path.write_bytes(msgspec.json.encode(trace) + b"\n")
