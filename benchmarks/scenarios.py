"""What is measured: which calls, and how long that takes."""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from benchmarks.speech import COMPLEXITY, SAMPLE_RATE

CALLS: Final = (10, 40, 120)
SAMPLE_RATES: Final = (48000, 16000)
COMPLEXITIES: Final = (9, 5, 3, 0)
MIDDLE: Final = 40
"""Calls that all complexities are measured with, and that aims are about."""
AIORTC_CALLS: Final = 8
"""As many as a core can bear; more would not cost more, but stutter."""
MANY: Final = 125
"""Calls that one core is to carry."""
MANY_COMPLEXITIES: Final = (5, 0)

OPENING_SECONDS: Final = 3.0
MIN_OPENING_RATE: Final = 5.0
"""At which calls are opened, per second: much faster than calls come in life, and no thundering herd."""
FIXED_SECONDS: Final = 6.5
"""Of a run, beside its calls' opening and its window: the codec alone, processes start, one call warms up."""


class Kind(Enum):
    """Who echoes what."""

    ECHO = "echo"
    """The gateway: what its agent hears, so that it decodes and encodes."""
    PASS_THROUGH = "pass-through"
    """The gateway: packets as they are."""
    AIORTC = "aiortc"
    """aiortc, which decodes and encodes."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """So many calls at a time; ``sample_rate`` is the agent's, in hertz, ``workers`` are processes of the gateway."""

    kind: Kind
    calls: int
    sample_rate: int = SAMPLE_RATE
    complexity: int = COMPLEXITY
    workers: int = 1

    @property
    def name(self) -> str:
        """For a row of a table."""
        calls = f"{self.kind.value}, {self.calls} calls"
        if self.kind is Kind.PASS_THROUGH:
            return calls
        return f"{calls}, {self.sample_rate // 1000} kHz, complexity {self.complexity}"

    @property
    def opening_rate(self) -> float:
        """Calls per second."""
        return max(MIN_OPENING_RATE, self.calls / OPENING_SECONDS)

    def seconds(self, window: float) -> float:
        """About how long a run takes, with the codec's beside it."""
        return FIXED_SECONDS + self.calls / self.opening_rate + window


ECHO: Final = {rate: Scenario(Kind.ECHO, MIDDLE, rate) for rate in SAMPLE_RATES}
"""Those that aims are about, by the agent's rate."""
PASS_THROUGH: Final = Scenario(Kind.PASS_THROUGH, MIDDLE)
BESIDE: Final = Scenario(Kind.AIORTC, AIORTC_CALLS)
FULL_CORE: Final = tuple(Scenario(Kind.ECHO, MANY, 16000, complexity) for complexity in MANY_COMPLEXITIES)
"""The agent's rate is that of most speech recognisers and voices."""


def quick() -> list[Scenario]:
    """What the aims of one call's cost are about."""
    return [*ECHO.values(), PASS_THROUGH, BESIDE]


def cross() -> list[Scenario]:
    """All numbers of calls at one complexity, and all complexities at one number of calls."""
    echoes = [
        Scenario(Kind.ECHO, calls, rate, complexity)
        for rate in SAMPLE_RATES
        for calls in CALLS
        for complexity in COMPLEXITIES
        if calls == MIDDLE or complexity == COMPLEXITY
    ]
    return [*echoes, *FULL_CORE, *_passing(), BESIDE]


def full() -> list[Scenario]:
    """Each number of calls at each complexity."""
    echoes = [
        Scenario(Kind.ECHO, calls, rate, complexity)
        for rate in SAMPLE_RATES
        for calls in CALLS
        for complexity in COMPLEXITIES
    ]
    return [*echoes, *FULL_CORE, *_passing(), BESIDE]


def _passing() -> list[Scenario]:
    """Nothing is decoded or encoded: rates and complexities make no difference."""
    return [Scenario(Kind.PASS_THROUGH, calls) for calls in CALLS]
