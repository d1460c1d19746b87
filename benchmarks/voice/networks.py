"""What networks do to one direction of a call, as functions of the moment since its media began."""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Protocol

from glottis.testing.impairments import PERFECT, Impairments
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


class Carrier:
    """One direction of a call: perfect until media begins, then as its model is.

    What happens to the n-th packet of media is a matter of the seed alone, however many others go between: so two
    versions of a program are tried with the same losses.
    """

    def __init__(self, make_model: Callable[[], Model], seed: str) -> None:
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
        return [self._began_at + arrival for arrival in model.arrivals(now - self._began_at, rng)]


def is_media(data: bytes) -> bool:
    """Whether a datagram is a packet of RTP (RFC 7983, RFC 5761 §4)."""
    return len(data) > 1 and data[0] >> 6 == 2 and not is_rtcp(data)


def perfect() -> Model:
    """Nothing is lost, and nothing late."""
    return PERFECT


@dataclass(frozen=True, slots=True)
class Case:
    """What is tried: a network towards the gateway or towards the caller, a codec, and the caller's clock.

    ``direction`` is "up" or "down", and empty where nothing happens on the way. ``clock_rate`` is how many seconds
    pass on the caller's clock in one. ``frame_ms`` is how long the frames are that the agent hears, and packets.
    """

    name: str
    make_model: Callable[[], Model] = perfect
    direction: str = ""
    codec: str = "opus"
    clock_rate: float = 1.0
    frame_ms: int = 20

    @property
    def title(self) -> str:
        """For a table, and for naming the case."""
        return " ".join(part for part in (self.name, self.direction) if part)

    def carriers(self, seed: int) -> tuple[Carrier, Carrier]:
        """Up and down."""
        up = self.make_model if self.direction == "up" else perfect
        down = self.make_model if self.direction == "down" else perfect
        return Carrier(up, f"{seed} up"), Carrier(down, f"{seed} down")


def _both_ways(name: str, make_model: Callable[[], Model], codec: str = "opus") -> list[Case]:
    return [Case(name, make_model, direction, codec) for direction in ("up", "down")]


def _losing(loss: float) -> Callable[[], Model]:
    return lambda: Impairments(loss=loss)


def _all_cases() -> list[Case]:
    cases = [Case("clean")]
    for percent in (5, 10, 20, 30):
        cases += _both_ways(f"loss {percent} %", _losing(percent / 100))
    cases += _both_ways("bursts 10 %", lambda: Bursts(0.1, mean_length=4))
    cases += _both_ways("loss 10 %, jitter 40 ms", lambda: Impairments(loss=0.1, jitter=0.04))
    cases += _both_ways("jitter 60 ms", lambda: Impairments(jitter=0.06))
    cases += _both_ways("spikes 150 ms", lambda: Spikes(period=3.0, length=0.15))
    cases += _both_ways("outage 2 s", lambda: Outage(begins_at=11.0, length=2.0))
    cases += _both_ways("disorder 10 %", lambda: Disorder(0.1, lag=0.03))
    cases += [Case("clock +1000 ppm", clock_rate=1.001), Case("clock -1000 ppm", clock_rate=0.999)]
    for codec in ("G722", "PCMU"):
        cases += [Case(f"{codec} clean", codec=codec), *_both_ways(f"{codec} loss 10 %", _losing(0.1), codec)]
    short = [Case("clean"), *_both_ways("loss 10 %", _losing(0.1))]
    return cases + [replace(case, name=f"{case.name}, frames of 10 ms", frame_ms=10) for case in short]


CASES: Final = _all_cases()
"""In the order of the table."""
BESIDE: Final = ("clean", "loss 10 % up", "loss 10 % down", "bursts 10 % up", "spikes 150 ms up")
"""Titles of the cases that other stacks are tried with: those go by the clock on the wall."""
