"""How a call fares, each few seconds: as few numbers as plots need, for there are many calls."""

import math
from array import array
from typing import Final, NamedTuple

from glottis import Statistics
from glottis_metrics import quality

NAMES: Final = (
    "age",
    "lossReceived",
    "lossSent",
    "jitterReceived",
    "jitterSent",
    "roundTrip",
    "bufferTarget",
    "bufferDelay",
    "bitrateReceived",
    "bitrateSent",
    "mosReceived",
    "mosSent",
)
"""Of the numbers of a sample, as the page knows them: seconds since the creation of the session; shares of packets;
seconds; bits per second; estimates of the mean opinion score, of what the agent and of what the caller has heard."""
MAX_SAMPLES: Final = 300
"""Of a call: five minutes while somebody looks at it, else as long as they are young enough."""
MAX_AGE: Final = 600.0
"""Seconds."""
_UNKNOWN: Final = math.nan


class Sample(NamedTuple):
    """Of an interval; what is not known is NaN."""

    age: float
    loss_received: float = _UNKNOWN
    loss_sent: float = _UNKNOWN
    jitter_received: float = _UNKNOWN
    jitter_sent: float = _UNKNOWN
    round_trip: float = _UNKNOWN
    buffer_target: float = _UNKNOWN
    buffer_delay: float = _UNKNOWN
    bitrate_received: float = _UNKNOWN
    bitrate_sent: float = _UNKNOWN
    mos_received: float = _UNKNOWN
    mos_sent: float = _UNKNOWN

    @property
    def mos(self) -> float:
        """Of the worse direction; infinite where nothing is known, so that what fares badly comes first."""
        return min((one for one in (self.mos_received, self.mos_sent) if not math.isnan(one)), default=math.inf)


def sample(age: float, seconds: float, before: Statistics, now: Statistics) -> Sample:
    """Of the last ``seconds``, by what was counted at their beginning and end."""
    heard, told = quality.received(before, now), quality.sent(now)
    target, delay = _buffer(before, now)
    return Sample(
        age,
        _known(heard and heard.loss),
        _known(told and told.loss),
        _known(heard and heard.jitter),
        _known(told and told.jitter),
        _known((heard and heard.round_trip) or (told and told.round_trip)),
        target,
        delay,
        _bitrate("bytes_received", before.inbound_rtp, now.inbound_rtp, seconds),
        _bitrate("bytes_sent", before.outbound_rtp, now.outbound_rtp, seconds),
        _known(heard and heard.mos),
        _known(told and told.mos),
    )


class Samples:
    """The last ones of a call."""

    __slots__ = ("_numbers",)

    def __init__(self) -> None:
        self._numbers = array("f")

    def add(self, one: Sample) -> None:
        """The oldest give way."""
        self._numbers.extend(one)
        width = len(NAMES)
        oldest = len(self._numbers) // width - MAX_SAMPLES
        while oldest < 0 and self._numbers[0] < one.age - MAX_AGE:
            del self._numbers[:width]
        if oldest > 0:
            del self._numbers[: oldest * width]

    def since(self, age: float) -> list[list[float | None]]:
        """Those after this age of the call, oldest first."""
        width, numbers = len(NAMES), self._numbers
        [age] = array("f", [age])  # rounded as ages are that are kept
        rows = [numbers[at : at + width] for at in range(0, len(numbers), width)]
        return [[round(row[0], 2), *map(rounded, row[1:])] for row in rows if row[0] > age]

    def last_of(self, name: str, count: int) -> list[float | None]:
        """One number of the last samples, to two digits after its point."""
        return [
            round(value, 2) if value == value else None
            for value in self._numbers[NAMES.index(name) :: len(NAMES)][-count:]
        ]


def _buffer(before: Statistics, now: Statistics) -> tuple[float, float]:
    """Target and delay of the jitter buffer, as means over the interval."""
    new, old = now.inbound_rtp, before.inbound_rtp
    if new is None:
        return _UNKNOWN, _UNKNOWN
    old = old if old is not None and old.ssrc == new.ssrc else None
    emitted = new.jitter_buffer_emitted_count - (old.jitter_buffer_emitted_count if old else 0)
    if emitted <= 0:
        return _UNKNOWN, _UNKNOWN
    target = new.jitter_buffer_target_delay - (old.jitter_buffer_target_delay if old else 0.0)
    delay = new.jitter_buffer_delay - (old.jitter_buffer_delay if old else 0.0)
    return target / emitted, delay / emitted


def _bitrate(name: str, before: object | None, now: object | None, seconds: float) -> float:
    """Of payloads."""
    if now is None or seconds <= 0:
        return _UNKNOWN
    octets: int = getattr(now, name) - getattr(before, name, 0)
    return max(0.0, 8 * octets / seconds)


def _known(value: float | None) -> float:
    return _UNKNOWN if value is None else value


def rounded(value: float) -> float | None:
    """As it is told."""
    return float(f"{value:.4g}") if math.isfinite(value) else None
