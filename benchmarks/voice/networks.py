"""The cases of ``make voice``: networks towards the gateway or towards the caller, codecs and clocks."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from glottis.lab.models import Bursts, Carrier, Disorder, Model, Outage, Spikes
from glottis.testing.impairments import PERFECT, Impairments


def perfect() -> Model:
    """Nothing is lost, and nothing late."""
    return PERFECT


@dataclass(frozen=True, slots=True)
class Case:
    """What is tried: a network towards the gateway or towards the caller, a codec, and the caller's clock.

    ``direction`` is "up" or "down", and empty where nothing happens on the way. ``clock_rate`` is how many seconds
    pass on the caller's clock in one. ``frame_ms`` is how long the frames are that the agent hears, and packets.
    ``red`` is whether the caller offers redundant audio, as Chromium does for Opus alone.
    """

    name: str
    make_model: Callable[[], Model] = perfect
    direction: str = ""
    codec: str = "opus"
    clock_rate: float = 1.0
    frame_ms: int = 20
    red: bool = True

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
        lossy = _both_ways(f"{codec} loss 10 %", _losing(0.1), codec)
        cases += [Case(f"{codec} clean", codec=codec, red=False), *(replace(case, red=False) for case in lossy)]
        cases += [replace(case, name=f"{case.name}, RED") for case in lossy]
    short = [Case("clean"), *_both_ways("loss 10 %", _losing(0.1))]
    return cases + [replace(case, name=f"{case.name}, frames of 10 ms", frame_ms=10) for case in short]


CASES: Final = _all_cases()
"""In the order of the table."""
BESIDE: Final = ("clean", "loss 10 % up", "loss 10 % down", "bursts 10 % up", "spikes 150 ms up")
"""Titles of the cases that other stacks are tried with: those go by the clock on the wall."""
