"""IMA ADPCM: each sample as four bits that say how far it is from the one before, in steps that grow and shrink."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

_INDEX_CHANGES: Final = (-1, -1, -1, -1, 2, 4, 6, 8)
"""By the three bits of a code below its sign: small differences ask for smaller steps, large ones for larger."""
STEPS: Final = (
    *(7, 8, 9, 10, 11, 12, 13, 14, 16, 17, 19, 21, 23, 25, 28, 31, 34, 37, 41, 45, 50, 55, 60, 66, 73, 80, 88, 97, 107),
    *(
        118,
        130,
        143,
        157,
        173,
        190,
        209,
        230,
        253,
        279,
        307,
        337,
        371,
        408,
        449,
        494,
        544,
        598,
        658,
        724,
        796,
        876,
        963,
    ),
    *(1060, 1166, 1282, 1411, 1552, 1707, 1878, 2066, 2272, 2499, 2749, 3024, 3327, 3660, 4026, 4428, 4871, 5358, 5894),
    *(6484, 7132, 7845, 8630, 9493, 10442, 11487, 12635, 13899, 15289, 16818, 18500, 20350, 22385, 24623, 27086, 29794),
    32767,
)


@dataclass(frozen=True, slots=True)
class State:
    """What encoder and decoder agree on before a sample: the one before, and which step is in use."""

    predicted: int = 0
    index: int = 0

    def after(self, code: int) -> "State":
        """What they agree on after this code: its sample is the new ``predicted``."""
        step = STEPS[self.index]
        difference = (
            (step >> 3) + (step if code & 4 else 0) + (step >> 1 if code & 2 else 0) + (step >> 2 if code & 1 else 0)
        )
        predicted = self.predicted - difference if code & 8 else self.predicted + difference
        index = self.index + _INDEX_CHANGES[code & 7]
        return State(max(-32768, min(32767, predicted)), max(0, min(len(STEPS) - 1, index)))

    def code_for(self, sample: int) -> int:
        """The code that comes nearest to this sample from here."""
        step, difference = STEPS[self.index], sample - self.predicted
        code = 8 if difference < 0 else 0
        rest = abs(difference)
        for bit in (4, 2, 1):
            if rest >= step:
                code |= bit
                rest -= step
            step >>= 1
        return code


def encode(samples: Iterable[int], state: State) -> tuple[list[int], State]:
    """A code for each sample, and the state after them."""
    codes = []
    for sample in samples:
        code = state.code_for(sample)
        codes.append(code)
        state = state.after(code)
    return codes, state


def decode(codes: Iterable[int], state: State) -> list[int]:
    """A sample for each code."""
    states = accumulate(codes, State.after, initial=state)
    return [one.predicted for one in states][1:]
