"""What a listener would say of a recording, in numbers."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from statistics import fmean, median
from typing import Final

import numpy as np
from glottis.contracts.codec import CodecSpec
from glottis.lab.alignment import find_delays, longest_gap
from glottis.lab.quality import passage_pairs, pesq_wb, stoi_of
from glottis.lab.samples import RATE
from glottis.lab.speech import Speech

from benchmarks.voice.caller import Recording
from benchmarks.voice.receiver import play


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
    pairs = passage_pairs(speech, heard, delays)
    return Score(
        pesq=fmean(pesq_wb(*pair) for pair in pairs),
        stoi=fmean(stoi_of(*pair) for pair in pairs),
        delay=delay,
        delay_95=float(np.percentile(lateness, 95)) if len(lateness) else float("nan"),
        network_delay=delay - played.mean_wait,
        gap=longest_gap(spoken, heard, delays),
        kbits=recording.media_bytes * 8 / recording.seconds / 1000,
    )


def middle(scores: Sequence[Score]) -> Score:
    """The median of each figure."""
    return Score(*(median(getattr(score, name) for score in scores) for name in _FIGURES))
