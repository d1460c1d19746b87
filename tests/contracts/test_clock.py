"""The time of day of a machine that learns it late."""

from glottis.contracts.clock import EARLIEST, WallClock

NOW = 1_800_000_000.0


class Machine:
    """``seconds`` since it was switched on, at 1970 or later; ``set`` tells it the time."""

    def __init__(self, began: float = 0.0) -> None:
        self.seconds = 0.0
        self.offset = began

    def clock(self) -> WallClock:
        return WallClock(lambda: self.seconds + self.offset, lambda: self.seconds)

    def set(self, now: float) -> None:
        self.offset = now - self.seconds


def test_moments_that_this_process_has_noted_keep_their_distances_when_the_clock_is_set() -> None:
    machine = Machine(began=30.0)
    clock = machine.clock()
    noted, expires = clock.now() + 10, clock.now() + 600
    machine.seconds = 100.0
    assert not clock.is_set()
    assert (clock.restated(noted), clock.restated(expires)) == (noted, expires)
    machine.set(NOW)
    assert clock.is_set()
    assert (clock.restated(noted), clock.restated(expires)) == (NOW - 90, NOW + 500)
    machine.seconds = 200.0
    assert clock.restated(expires) == NOW + 500


def test_what_an_earlier_process_has_noted_counts_from_the_start_of_this_one() -> None:
    machine = Machine(began=NOW)
    clock = machine.clock()
    machine.seconds = 50.0
    assert clock.restated(7.0) == NOW
    machine = Machine(began=1000.0)
    clock = machine.clock()
    machine.set(NOW)
    machine.seconds = 50.0
    assert clock.restated(7.0) == NOW


def test_moments_by_a_clock_that_was_set_are_what_they_are() -> None:
    clock = Machine(began=NOW).clock()
    assert clock.restated(EARLIEST) == EARLIEST
    assert clock.restated(NOW + 5) == NOW + 5
