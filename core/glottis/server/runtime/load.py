"""How much of the time media takes, and how late it is: what is looked at twice a second."""

import time
from collections.abc import Callable
from typing import Final

import msgspec

from glottis.media.scheduler import Scheduler

LATE: Final = 0.01
"""Seconds: a turn of the wheel is no later because of what others send, be it a flood (see the architecture)."""


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """Since the look before."""

    busy: float = 0.0
    """The share (0–1) of time that the calls' media ticks have taken. What is read of the sockets is none of it, so
    that nobody has new calls refused by a flood."""
    late: float = 0.0
    """The share of the wheel's turns that began more than ``LATE`` seconds late, whoever held them up."""
    own: float = 0.0
    """What the process has had of the processor, as a share of the time: all its threads, so it may exceed 1."""


class LoadMeter:
    """Compares what the wheel has counted with what it had at the look before."""

    def __init__(
        self, scheduler: Scheduler, now: float, processor_time: Callable[[], float] = time.process_time
    ) -> None:
        self._scheduler = scheduler
        self._processor_time = processor_time
        self._before = (now, scheduler.busy, processor_time(), 0, 0)

    def take(self, now: float) -> Load:
        """Since it was taken last; ``now`` is later."""
        lateness = self._scheduler.lateness
        counted = self._scheduler.busy, self._processor_time(), lateness.turns(), lateness.turns(LATE)
        before, self._before = self._before, (now, *counted)
        seconds, busy, own, turns, late = (after - earlier for after, earlier in zip(self._before, before, strict=True))
        return Load(busy=busy / seconds, late=late / turns if turns else 0.0, own=own / seconds)
