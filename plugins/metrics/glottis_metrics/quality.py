"""How well a call has sounded in an interval, by the difference of its statistics at both ends."""

from typing import Final, NamedTuple

from glottis import Statistics

from glottis_metrics.e_model import mean_opinion, rating

PACKET: Final = 0.02
"""Seconds of a packet that must be spoken before it leaves: most have as much."""
BUFFER: Final = 0.04
"""Seconds of the caller's own jitter buffer, which nobody tells."""


class Quality(NamedTuple):
    """Of one direction. None is what is not known; seconds, and shares of 0–1."""

    loss: float
    """What was neither received in time nor recovered."""
    jitter: float | None
    round_trip: float | None
    mos: float


def received(before: Statistics, now: Statistics) -> Quality | None:
    """What the agent has heard; None where nothing has come."""
    new, old = now.inbound_rtp, before.inbound_rtp
    if new is None or (old is not None and old.ssrc != new.ssrc):
        return None
    packets = new.packets_received - (old.packets_received if old else 0)
    if packets <= 0:
        return None
    lost = new.packets_lost - (old.packets_lost if old else 0) + new.packets_discarded
    lost -= old.packets_discarded if old else 0
    lost -= now.counters.packets_recovered - before.counters.packets_recovered
    lost -= now.counters.recovery_attempts - before.counters.recovery_attempts
    loss = min(1.0, max(0, lost) / (packets + max(0, lost)))
    emitted = new.jitter_buffer_emitted_count - (old.jitter_buffer_emitted_count if old else 0)
    waited = new.jitter_buffer_delay - (old.jitter_buffer_delay if old else 0.0)
    buffered = waited / emitted if emitted > 0 else BUFFER
    round_trip = _round_trip(now)
    return Quality(loss, new.jitter, round_trip, _mos(round_trip, buffered, loss))


def sent(now: Statistics) -> Quality | None:
    """What the caller has heard, as far as it has reported; None where it has not."""
    told = now.remote_inbound_rtp
    if told is None:
        return None
    round_trip = _round_trip(now)
    return Quality(told.fraction_lost, told.jitter, round_trip, _mos(round_trip, BUFFER, told.fraction_lost))


def _round_trip(statistics: Statistics) -> float | None:
    """By RTCP, or else by ICE."""
    told = statistics.remote_inbound_rtp or statistics.remote_outbound_rtp
    if told is not None and told.round_trip_time is not None:
        return told.round_trip_time
    pair = statistics.candidate_pair
    return pair.current_round_trip_time if pair is not None else None


def _mos(round_trip: float | None, buffered: float, loss: float) -> float:
    return mean_opinion(rating((round_trip or 0.0) / 2 + buffered + PACKET, loss))
