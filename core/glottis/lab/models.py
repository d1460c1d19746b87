"""What networks do to one direction of a call, as functions of the moment since its media began."""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from glottis.wire.rtcp import is_rtcp


class Model(Protocol):
    """When the copies of a datagram arrive that is sent at some moment; none of them if it is lost."""

    def arrivals(self, sent_at: float, rng: random.Random) -> list[float]: ...


@dataclass(slots=True)
class Bursts:
    """Gilbert's model: of two states one loses all, so that losses come ``mean_length`` datagrams long on average."""

    loss: float
    mean_length: float
    _losing: bool = False

    def arrivals(self, sent_at: float, rng: random.Random) -> list[float]:
        """See ``Model``."""
        leaves = 1 / self.mean_length
        enters = self.loss * leaves / (1 - self.loss)
        self._losing = rng.random() >= leaves if self._losing else rng.random() < enters
        return [] if self._losing else [sent_at]


@dataclass(frozen=True, slots=True)
class Spikes:
    """Every ``period`` seconds all is held up for ``length`` seconds, and then comes at once."""

    period: float
    length: float

    def arrivals(self, sent_at: float, rng: random.Random) -> list[float]:
        """See ``Model``."""
        since_spike = (sent_at - self.period / 2) % self.period
        return [sent_at - since_spike + self.length if since_spike < self.length else sent_at]


@dataclass(frozen=True, slots=True)
class Outage:
    """Nothing passes for a while, once."""

    begins_at: float
    length: float

    def arrivals(self, sent_at: float, rng: random.Random) -> list[float]:
        """See ``Model``."""
        return [] if 0 <= sent_at - self.begins_at < self.length else [sent_at]


@dataclass(frozen=True, slots=True)
class Disorder:
    """Some datagrams come twice, the copy ``lag`` seconds later, and some are overtaken by those of ``lag`` seconds."""

    share: float
    lag: float

    def arrivals(self, sent_at: float, rng: random.Random) -> list[float]:
        """See ``Model``."""
        first = sent_at + (self.lag if rng.random() < self.share else 0.0)
        return [first, first + self.lag] if rng.random() < self.share else [first]


class Chain:
    """One model after the other: each gets what the one before it lets through, when it does."""

    def __init__(self, models: Sequence[Model]) -> None:
        self._models = models

    def arrivals(self, sent_at: float, rng: random.Random) -> list[float]:
        """See ``Model``."""
        moments = [sent_at]
        for model in self._models:
            moments = [arrival for moment in moments for arrival in model.arrivals(moment, rng)]
        return moments


@dataclass(slots=True)
class GilbertElliott:
    """Two states, good and bad, each of which loses its own share; the state changes from datagram to datagram.

    E. O. Elliott, Bell System Technical Journal 42 (1963), after E. N. Gilbert (1960).
    """

    good_to_bad: float
    bad_to_good: float
    loss_good: float = 0.0
    loss_bad: float = 1.0
    _is_bad: bool = False

    def arrivals(self, sent_at: float, rng: random.Random) -> list[float]:
        """See ``Model``."""
        self._is_bad = rng.random() >= self.bad_to_good if self._is_bad else rng.random() < self.good_to_bad
        return [] if rng.random() < (self.loss_bad if self._is_bad else self.loss_good) else [sent_at]


@dataclass(slots=True)
class Jitter:
    """A delay from ``delay`` to ``delay + spread``, uniform; one is like the one before by ``correlation`` (0–1).

    The correlation is that of normal numbers in a row (an autoregressive process of first order) behind it. Where it
    ``keeps_order``, as a queue does, nothing overtakes what was sent before.
    """

    delay: float
    spread: float
    correlation: float = 0.0
    keeps_order: bool = True
    _state: float | None = None
    _last: float = -math.inf

    def arrivals(self, sent_at: float, rng: random.Random) -> list[float]:
        """See ``Model``."""
        fresh = rng.gauss(0.0, 1.0)
        before = fresh if self._state is None else self._state
        share = self.correlation
        self._state = fresh if self._state is None else share * before + math.sqrt(1 - share**2) * fresh
        arrival = sent_at + self.delay + self.spread * 0.5 * (1 + math.erf(self._state / math.sqrt(2)))
        if self.keeps_order:
            arrival = self._last = max(self._last, arrival)
        return [arrival]


@dataclass(frozen=True, slots=True)
class Overtaken:
    """A share of the datagrams is held up for ``lag`` seconds, and overtaken by those that are sent meanwhile."""

    share: float
    lag: float

    def arrivals(self, sent_at: float, rng: random.Random) -> list[float]:
        """See ``Model``."""
        return [sent_at + self.lag if rng.random() < self.share else sent_at]


@dataclass(frozen=True, slots=True)
class Doubled:
    """A share of the datagrams comes twice, the copy ``lag`` seconds later."""

    share: float
    lag: float

    def arrivals(self, sent_at: float, rng: random.Random) -> list[float]:
        """See ``Model``."""
        return [sent_at, sent_at + self.lag] if rng.random() < self.share else [sent_at]


@dataclass(frozen=True, slots=True)
class Longer:
    """From a moment on all takes longer, as on another way."""

    since: float
    delay: float

    def arrivals(self, sent_at: float, rng: random.Random) -> list[float]:
        """See ``Model``."""
        return [sent_at + self.delay if sent_at >= self.since else sent_at]


class Bottleneck:
    """So many bits per second, and a queue before it that holds ``queue`` seconds of them: what does not fit is lost.

    A long queue that is full is bufferbloat. Datagrams have to come in order of time, of whatever kind.
    """

    HEADERS: Final = 28
    """Bytes of IPv4 and UDP."""

    def __init__(self, bits_per_second: float, queue: float) -> None:
        self._seconds_per_byte = 8 / bits_per_second
        self._queue = queue
        self._free_at = 0.0

    def leaves(self, size: int, sent_at: float) -> float | None:
        """When a datagram of ``size`` bytes is through; None if it is dropped."""
        begins = max(sent_at, self._free_at)
        if begins - sent_at > self._queue:
            return None
        self._free_at = begins + (size + self.HEADERS) * self._seconds_per_byte
        return self._free_at


class Carrier:
    """One direction of a call: perfect until media begins, then as its model is.

    What happens to the n-th packet of media is a matter of the seed alone, however many others go between: so two
    versions of a program are tried with the same losses. All of it goes through one ``bottleneck``, if there is one.
    """

    def __init__(self, make_model: Callable[[], Model], seed: str, bottleneck: Bottleneck | None = None) -> None:
        self._bottleneck = bottleneck
        self._media, self._others = make_model(), make_model()
        self._media_rng, self._others_rng = random.Random(f"{seed} media"), random.Random(f"{seed} others")
        self._began_at: float | None = None

    def begin(self, now: float) -> None:
        """Media begins."""
        self._began_at = now

    def arrivals(self, data: bytes, now: float) -> list[float]:
        """When the copies of a datagram arrive that is sent now."""
        if self._began_at is None:
            return [now]
        model, rng = (self._media, self._media_rng) if is_media(data) else (self._others, self._others_rng)
        passed: float | None = now - self._began_at
        if self._bottleneck is not None:
            passed = self._bottleneck.leaves(len(data), now - self._began_at)
        # The model is asked in any case, so that the next packet's fate is the same with another bottleneck.
        arrivals = model.arrivals(now - self._began_at if passed is None else passed, rng)
        return [] if passed is None else [self._began_at + arrival for arrival in arrivals]


def is_media(data: bytes) -> bool:
    """Whether a datagram is a packet of RTP (RFC 7983, RFC 5761 §4)."""
    return len(data) > 1 and data[0] >> 6 == 2 and not is_rtcp(data)
