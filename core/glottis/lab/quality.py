"""How good it sounds: figures of what was heard beside what was said."""

from typing import Final

import numpy as np
from pesq import NoUtterancesError, pesq
from pystoi import stoi

from glottis.lab.alignment import HOP, Delays, moved
from glottis.lab.samples import RATE, Samples
from glottis.lab.speech import Speech

WORST: Final = 1.0
"""MOS-LQO of what PESQ finds no speech in."""

Pair = tuple[Samples, Samples]
"""A passage as it was said, and what was heard in its place."""


def passage_pairs(speech: Speech, heard: Samples, delays: Delays) -> list[Pair]:
    """Each passage with what was heard of it, moved by its median delay."""
    return [_pair(speech.samples, heard, delays, *passage) for passage in speech.passages]


def followed_pairs(speech: Speech, heard: Samples, delays: Delays) -> list[Pair]:
    """The same, but moved piece by piece as the delay changes, for what cannot follow it by itself, as PESQ does."""
    pieces = [
        moved(heard, start + delays.at(start + HOP // 2), min(HOP, len(speech.samples) - start))
        for start in range(0, len(speech.samples), HOP)
    ]
    followed = np.concatenate(pieces)
    return [(speech.samples[start:end], followed[start:end]) for start, end in speech.passages]


def pesq_wb(spoken: Samples, heard: Samples) -> float:
    """MOS-LQO of PESQ-WB, 1 to 4.64: ITU-T P.862.2 (11/2007), as in the package ``pesq``."""
    try:
        return float(pesq(RATE, spoken, heard, "wb"))
    except NoUtterancesError:
        return WORST


def stoi_of(spoken: Samples, heard: Samples) -> float:
    """Short-time objective intelligibility, 0 to 1: Taal, Hendriks, Heusdens, Jensen (IEEE TASLP 19(7), 2011)."""
    return float(stoi(spoken.astype(np.float64), heard.astype(np.float64), RATE))


def _pair(spoken: Samples, heard: Samples, delays: Delays, start: int, end: int) -> Pair:
    return spoken[start:end], moved(heard, start + delays.between(start, end), end - start)
