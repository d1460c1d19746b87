"""From a capture to a trace: what the network has done to one stream of RTP, by its sequence numbers and timestamps."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np

from glottis.contracts.errors import ConfigurationError, Malformed
from glottis.lab.capture import Captured
from glottis.lab.models import is_media
from glottis.lab.samples import Signal
from glottis.lab.trace import Trace
from glottis.wire.rtp import parse_rtp_untrusted

CLOCK_RATES: Final = (8000, 16000, 32000, 44100, 48000, 90000)
MIN_PACKETS: Final = 10
MAX_LOST_IN_A_ROW: Final = 1500
"""Half a minute of 20 ms: what misses more has begun anew, or was not captured."""
JUMP: Final = 5.0
"""Seconds by which no network is late: timestamps have begun anew."""
LONGEST_PAUSE: Final = 1.0
"""Seconds without packets that are left as they are; a longer one, as of a hold, is cut to this."""
_TREND_WINDOW: Final = 10.0
_TREND_WINDOWS: Final = 6


class Heard(NamedTuple):
    """A packet of a stream. Number and timestamp are extended over their wraps."""

    sequence: int
    timestamp: int
    at: float


def streams_of(captured: Iterable[Captured]) -> dict[int, list[Heard]]:
    """By SSRC, in order of time, and of copies the first. Times that go back are put in order."""
    streams: dict[int, list[Heard]] = {}
    for at, payload in sorted(captured, key=lambda one: one.at):
        if not is_media(payload):
            continue
        try:
            rtp = parse_rtp_untrusted(payload)
        except Malformed:
            continue
        packets = streams.setdefault(rtp.ssrc, [])
        last = packets[-1] if packets else Heard(rtp.sequence_number, rtp.timestamp, at)
        sequence = last.sequence + _difference(rtp.sequence_number, last.sequence, 16)
        timestamp = last.timestamp + _difference(rtp.timestamp, last.timestamp, 32)
        packets.append(Heard(sequence, timestamp, at))
    return {ssrc: _first_copies(packets) for ssrc, packets in streams.items() if len(packets) >= MIN_PACKETS}


def choose(streams: dict[int, list[Heard]], ssrc: int | None) -> int:
    """That one, or the longest. Raises ``ConfigurationError`` that says which there are."""
    listed = ", ".join(f"{one:#010x} ({len(packets)} packets)" for one, packets in streams.items()) or "none"
    if not streams:
        raise ConfigurationError(f"capture: there is no stream of {MIN_PACKETS} packets of RTP or SRTP over UDP")
    if ssrc is not None and ssrc not in streams:
        raise ConfigurationError(f"--ssrc: there is no stream {ssrc:#010x}; there are {listed}")
    return max(streams, key=lambda one: len(streams[one])) if ssrc is None else ssrc


def clock_rate_of(packets: Sequence[Heard]) -> int:
    """The usual one that is next to what timestamps advance in a second."""
    steps = [(two.timestamp - one.timestamp, two.at - one.at) for one, two in pairwise(packets)]
    usual = [(units, seconds) for units, seconds in steps if 0 < units < 90_000 * JUMP and 0 <= seconds < JUMP]
    if not usual or not sum(seconds for _, seconds in usual):
        raise ConfigurationError("--clock-rate: it cannot be seen from this stream: say which it is")
    rate = sum(units for units, _ in usual) / sum(seconds for _, seconds in usual)
    return min(CLOCK_RATES, key=lambda one: abs(np.log(one / rate)))


def trace_of(packets: Sequence[Heard], clock_rate: int, source: str = "") -> Trace:
    """Delays beyond the quickest packet, without the drift of the clocks; what is missing was lost."""
    in_order = sorted(packets)
    sent: list[float] = []
    delays: list[float | None] = []
    begins = 0
    for number in range(1, len(in_order) + 1):
        if number == len(in_order) or _begins_anew(in_order[number - 1], in_order[number], clock_rate):
            _add(in_order[begins:number], clock_rate, sent, delays)
            begins = number
    return Trace(source=source, sent=tuple(sent), delays=tuple(delays))


def _begins_anew(before: Heard, packet: Heard, clock_rate: int) -> bool:
    if packet.sequence - before.sequence > MAX_LOST_IN_A_ROW:
        return True
    between = (packet.timestamp - before.timestamp) / clock_rate
    return abs(between - (packet.at - before.at)) > JUMP or between < 0


def _add(part: Sequence[Heard], clock_rate: int, sent: list[float], delays: list[float | None]) -> None:
    """What of one timeline goes on after what there is."""
    by_timestamp = np.array([packet.timestamp / clock_rate for packet in part])
    late = _without_trend(by_timestamp, np.array([packet.at for packet in part]) - by_timestamp)
    period = _period(part, clock_rate)
    moment = sent[-1] + period if sent else 0.0
    for number, packet in enumerate(part):
        if number:
            before = part[number - 1]
            missing = packet.sequence - before.sequence - 1
            passed = min((packet.timestamp - before.timestamp) / clock_rate, LONGEST_PAUSE + period * missing)
            for lost in range(1, missing + 1):
                sent.append(round(moment + passed * lost / (missing + 1), 6))
                delays.append(None)
            moment += passed
        sent.append(round(moment, 6))
        delays.append(round(float(late[number]), 6))


def _period(part: Sequence[Heard], clock_rate: int) -> float:
    """Seconds between packets, usually."""
    steps = [two.timestamp - one.timestamp for one, two in pairwise(part)]
    return float(np.median(steps)) / clock_rate if steps else 0.02


def _without_trend(at: Signal, transit: Signal) -> Signal:
    """Beyond the least; where there is a minute or more, without the line of the quickest: two clocks drift apart."""
    windows = ((at - at[0]) // _TREND_WINDOW).astype(int)
    quickest = [int(np.flatnonzero(windows == one)[np.argmin(transit[windows == one])]) for one in np.unique(windows)]
    if len(quickest) >= _TREND_WINDOWS:
        slope, offset = np.polyfit(at[quickest], transit[quickest], 1)
        transit = transit - slope * at - offset
    beyond: Signal = transit - transit.min()
    return beyond


def _first_copies(packets: Sequence[Heard]) -> list[Heard]:
    first: dict[int, Heard] = {}
    for packet in packets:
        first.setdefault(packet.sequence, packet)
    return list(first.values())


def _difference(value: int, last: int, bits: int) -> int:
    """The least step from the one to the other, modulo 2**bits."""
    half = 1 << (bits - 1)
    return (value - last + half) % (2 * half) - half
