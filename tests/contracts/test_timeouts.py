"""One moment for each holder, whatever was set before."""

import math
import sys
import weakref

from glottis.contracts.timeouts import Timeouts


class Holder:
    """Of a timeout."""


def popped(timeouts: Timeouts[str], now: float) -> list[str]:
    return list(iter(lambda: timeouts.pop_due(now), None))


def test_holders_are_popped_in_the_order_of_their_moments_and_once() -> None:
    timeouts: Timeouts[str] = Timeouts()
    for holder, moment in (("late", 3.0), ("first", 1.0), ("second", 2.0), ("also second", 2.0)):
        timeouts.set(holder, moment)
    assert (timeouts.next_moment(), len(timeouts)) == (1.0, 4)
    assert popped(timeouts, 0.9) == []
    assert popped(timeouts, 2.0) == ["first", "second", "also second"]
    assert (timeouts.next_moment(), len(timeouts)) == (3.0, 1)
    assert popped(timeouts, 5.0) == ["late"]
    assert (timeouts.next_moment(), len(timeouts)) == (math.inf, 0)


def test_only_the_moment_set_last_counts() -> None:
    timeouts: Timeouts[str] = Timeouts()
    for moment in (5.0, 1.0, 3.0):
        timeouts.set("a", moment)
    timeouts.set("b", 2.0)
    timeouts.discard("b")
    assert timeouts.next_moment() == 3.0
    assert popped(timeouts, 2.9) == []
    assert popped(timeouts, 9.0) == ["a"]


def test_replaced_moments_neither_pile_up_nor_keep_their_holders_in_memory() -> None:
    timeouts: Timeouts[Holder] = Timeouts()
    holder, other = Holder(), Holder()
    before = sys.getrefcount(holder)
    for moment in range(10_000):
        timeouts.set(holder, moment)
        timeouts.set(other, 5.0)
    assert sys.getrefcount(holder) - before <= 5
    timeouts.discard(other)
    alive = weakref.ref(holder)
    timeouts.discard(holder)
    del holder
    assert alive() is None
