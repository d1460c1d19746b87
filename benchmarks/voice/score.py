"""What a listener would say of a recording, in numbers."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from statistics import fmean, median
from typing import Final

import numpy as np
from glottis.contracts.codec import CodecSpec
from pesq import NoUtterancesError, pesq
from pystoi import stoi

from benchmarks.voice.alignment import Delays, find_delays, longest_gap, moved
from benchmarks.voice.caller import Recording
from benchmarks.voice.receiver import play
from benchmarks.voice.speech import RATE, Samples, Speech

WORST: Final = 1.0
"""MOS-LQO of what PESQ finds no speech in."""


@dataclass(frozen=True, slots=True)
class Score:
    """Of one call. Times are in seconds."""

    pesq: float
    """MOS-LQO of PESQ-WB (ITU-T P.862.2): the mean of all passages."""
    stoi: float
    """Short-time objective intelligibility, 0 to 1: the same."""
    delay: float
    """From mouth to ear: the median of all windows of speech."""
    delay_95: float
    """The 95th percentile of them."""
    network_delay: float
    """The same as ``delay`` without the wait in the receiver that judges."""
    gap: float
    """The longest that nothing was heard of what was said."""
    kbits: float
    """Thousands of bits per second that the other end sends: RTP and SRTP, without UDP and IP."""


_FIGURES: Final = tuple(field.name for field in fields(Score))


def score(recording: Recording, speech: Speech, codec: CodecSpec, clock_rate: float = 1.0) -> Score:
    """Of what the receiver that judges hears. ``clock_rate`` is that of the caller."""
    played = play(recording.packets, codec, recording.began_at, recording.seconds)
    spoken, heard = speech.samples, played.samples
    delays = find_delays(spoken, heard)
    # A caller's clock that is fast says each sample earlier than its number tells.
    lateness = (delays.delays + delays.centres * (1 - 1 / clock_rate)) / RATE
    delay = float(np.median(lateness)) if len(lateness) else float("nan")
    pairs = [_pair(spoken, heard, delays, *passage) for passage in speech.passages]
    return Score(
        pesq=fmean(_pesq(*pair) for pair in pairs),
        stoi=fmean(float(stoi(*pair, RATE)) for pair in pairs),
        delay=delay,
        delay_95=float(np.percentile(lateness, 95)) if len(lateness) else float("nan"),
        network_delay=delay - played.mean_wait,
        gap=longest_gap(spoken, heard, delays),
        kbits=recording.media_bytes * 8 / recording.seconds / 1000,
    )


def middle(scores: Sequence[Score]) -> Score:
    """The median of each figure."""
    return Score(*(median(getattr(score, name) for score in scores) for name in _FIGURES))


def _pair(spoken: Samples, heard: Samples, delays: Delays, start: int, end: int) -> tuple[Samples, Samples]:
    return spoken[start:end], moved(heard, start + delays.between(start, end), end - start)


def _pesq(spoken: Samples, heard: Samples) -> float:
    try:
        return float(pesq(RATE, spoken, heard, "wb"))
    except NoUtterancesError:
        return WORST
