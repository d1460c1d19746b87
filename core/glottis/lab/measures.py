"""The figures of one condition. They are of what was heard and of what the engines counted, never of the clock."""

from collections.abc import Sequence
from statistics import fmean
from typing import Final

import numpy as np
from msgspec import Struct

from glottis.lab.alignment import Delays, find_delays, longest_gap
from glottis.lab.call import Recording
from glottis.lab.quality import followed_pairs, passage_pairs, pesq_wb, stoi_of
from glottis.lab.samples import RATE, Signal
from glottis.lab.speech import Speech

BACK_WITHIN: Final = 0.02
"""Seconds: a delay that is no more above the baseline is back at it."""


class Measures(Struct, frozen=True, kw_only=True):
    """Shares are of 1. None: there was nothing to be measured.

    Delays are by correlation of windows of a second of what was said with what was heard (``alignment``), so they are
    those of mouth to ear: a packet's length, codec, network and jitter buffer; of loudspeakers and microphones nothing.
    """

    pesq: float
    """MOS-LQO of PESQ-WB (ITU-T P.862.2), 1 to 4.64: the mean of passages of 8 s or so (P.862.3)."""
    stoi: float
    """Short-time objective intelligibility, 0 to 1 (Taal and others, IEEE TASLP 19(7), 2011): the same.

    Changes of the delay are followed, so that they count for ``delay_ms`` alone.
    """
    delay_ms: float | None
    """From mouth to ear: the median of all windows."""
    delay_p95_ms: float | None
    """95 of 100 windows come no later."""
    delay_max_ms: float | None
    """The latest of them."""
    gap_ms: float
    """The longest for which nothing was heard of what was said; what is concealed counts as heard."""
    back_after_ms: float | None
    """After an outage or handover: how long until the delay was back at the median of before; the longest of all."""
    lost: float
    """Packets of media that the network has lost, of those that were sent."""
    late: float
    """Packets that came too late for the jitter buffer, of those that were sent (``packetsDiscarded`` of W3C)."""
    concealed: float
    """Samples that the decoder made up, of all (``concealedSamples`` of W3C without those of in-band FEC)."""
    recovered_fec: float
    """Samples that the next packet had in its in-band FEC, of all (RFC 7587 §3.3)."""
    recovered_red: int
    """Lost packets whose audio came with a later one (RFC 2198)."""
    sent_again: int
    """Packets that were asked for, and sent again (RFC 4585 §6.2.1)."""
    kbits: float
    """Thousands of bits per second that were sent: RTP and SRTP, without UDP and IP (28 bytes a packet)."""
    answer_ms: float | None = None
    """Of an agent: from the end of the caller's speech to its first sound, at the caller's ear (Heldner and Edlund,
    Journal of Phonetics 38, 2010: the floor transfer offset); the median of its answers."""
    barge_in_ms: float | None = None
    """Of an agent: from the beginning of what interrupts it until the caller hears it no more; the median."""
    word_errors: float | None = None
    """Of an agent: the word error rate of what a recogniser understands of its answer (NIST's sclite)."""


class Event(Struct, frozen=True, kw_only=True):
    """An outage or handover, in seconds of what was said. ``back_after_s`` is None where the delay never came back."""

    begins_s: float
    ends_s: float
    baseline_ms: float
    peak_ms: float
    back_after_s: float | None


class Timeline(Struct, frozen=True, kw_only=True):
    """For plots. Times are seconds of what was said; ``lost_s`` are those of lost packets."""

    seconds: float
    delay_at_s: tuple[float, ...]
    delay_ms: tuple[float, ...]
    lost_s: tuple[float, ...]
    events: tuple[Event, ...]


def measure(
    recording: Recording, speech: Speech, events: Sequence[tuple[float, float]] = (), clock_rate: float = 1.0
) -> tuple[Measures, Timeline]:
    """``events`` are beginnings and ends of what is over at some time; ``clock_rate`` is that of the speaker."""
    delays = find_delays(speech.samples, recording.heard)
    timeline = _timeline(recording, speech, delays, events, clock_rate)
    lateness = np.array(timeline.delay_ms)
    pairs = passage_pairs(speech, recording.heard, delays)
    sent, played = max(1, len(recording.packets)), recording.playout
    samples = max(1, played.total_samples_received)
    return Measures(
        pesq=_rounded(fmean(pesq_wb(*pair) for pair in pairs)),
        stoi=_rounded(fmean(stoi_of(*pair) for pair in followed_pairs(speech, recording.heard, delays))),
        delay_ms=_percentile(lateness, 50),
        delay_p95_ms=_percentile(lateness, 95),
        delay_max_ms=_percentile(lateness, 100),
        gap_ms=_rounded(1000 * longest_gap(speech.samples, recording.heard, delays)),
        back_after_ms=_slowest(timeline),
        lost=_rounded(sum(packet.arrived_at is None for packet in recording.packets) / sent),
        late=_rounded(played.packets_discarded / sent),
        concealed=_rounded((played.concealed_samples - recording.recovered_samples) / samples),
        recovered_fec=_rounded(recording.recovered_samples / samples),
        recovered_red=played.packets_recovered,
        sent_again=recording.sent_again,
        kbits=_rounded(sum(packet.size for packet in recording.packets) * 8 / recording.seconds / 1000),
    ), timeline


def _timeline(
    recording: Recording, speech: Speech, delays: Delays, events: Sequence[tuple[float, float]], clock_rate: float
) -> Timeline:
    at = delays.centres / RATE
    # A speaker's clock that is fast says each sample earlier than its number tells.
    lateness = 1000 * (delays.delays / RATE + at * (1 - 1 / clock_rate))
    told = [_event(at, lateness, *event) for event in events if event[0] < speech.seconds]
    return Timeline(
        seconds=speech.seconds,
        delay_at_s=tuple(map(_rounded, at)),
        delay_ms=tuple(map(_rounded, lateness)),
        lost_s=tuple(_rounded(packet.sent_at) for packet in recording.packets if packet.arrived_at is None),
        events=tuple(event for event in told if event is not None),
    )


def _event(at: Signal, lateness: Signal, begins: float, ends: float) -> Event | None:
    """None where nothing was heard before it."""
    before, after = lateness[at < begins], at >= ends
    if not len(before):
        return None
    baseline = float(np.median(before))
    is_back = np.flatnonzero(after & (lateness <= baseline + 1000 * BACK_WITHIN))
    return Event(
        begins_s=begins,
        ends_s=ends,
        baseline_ms=_rounded(baseline),
        peak_ms=_rounded(float(lateness[after].max(initial=baseline))),
        back_after_s=_rounded(float(at[is_back[0]]) - ends) if len(is_back) else None,
    )


def _slowest(timeline: Timeline) -> float | None:
    """Where it never was back, what is left of the speech."""
    times = [
        timeline.seconds - event.ends_s if event.back_after_s is None else event.back_after_s
        for event in timeline.events
    ]
    return _rounded(1000 * max(times)) if times else None


def _percentile(values: Signal, share: float) -> float | None:
    return _rounded(float(np.percentile(values, share))) if len(values) else None


def _rounded(value: float) -> float:
    """To what can be compared: sums of floating point may differ in their last digits."""
    return round(float(value), 4)
