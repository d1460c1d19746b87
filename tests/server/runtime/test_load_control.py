"""Simulated load: calls that cost what they cost with Opus at 16 kHz, and a look every half second."""

from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from glottis.server.runtime.load import Load
from glottis.server.runtime.load_control import LoadControl

COSTS = (4.0, 4.3, 5.2, 5.6, 6.6, 6.8, 8.2, 8.6, 9.8, 10.0, 10.2)
"""Milliseconds of media ticks for a second of a call, by complexity."""
MAX_LOAD = 0.7
PERIOD = 0.5
CEILING = 9
MINUTE = 60.0


@dataclass
class Machine:
    """A core with so many calls, and what is decided for it."""

    calls: int = 0
    coming: int = 0
    control: LoadControl = field(default_factory=lambda: LoadControl(CEILING, 0, MAX_LOAD))
    late: float = 0.0
    own: float = 0.0
    """What the process takes of the time, agents included."""
    adjustable: bool = True
    now: float = 0.0
    levels: list[int] = field(default_factory=list)
    """After each look."""
    busiest: float = 0.0

    @property
    def busy(self) -> float:
        """The share of time that media takes now; a core has no more than all of it."""
        cost = COSTS[self.control.level] if self.adjustable else COSTS[0]
        return min(1.0, self.calls * cost / 1000)

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds / PERIOD)):
            self.now += PERIOD
            self.busiest = max(self.busiest, self.busy)
            load = Load(busy=self.busy, late=self.late, own=self.own)
            self.control.update(load, talking=self.calls, coming=self.coming, now=self.now)
            self.levels.append(self.control.level)

    def admit(self, attempts: int, per_second: float) -> int:
        """Let callers come at this rate, who talk two seconds after they were admitted; how many were refused?"""
        refused = 0
        setting_up: list[float] = []
        newcomers = 0
        started = self.now
        for number in range(attempts):
            while self.now < started + number / per_second:
                talk = [moment for moment in setting_up if moment <= self.now]
                setting_up = [moment for moment in setting_up if moment > self.now]
                self.calls += len(talk)
                self.coming, newcomers = len(setting_up), 0
                self.run(PERIOD)
            if self.control.refuses(newcomers):
                refused += 1
            else:
                newcomers += 1
                setting_up.append(self.now + 2.0)
        self.calls += len(setting_up)
        self.coming = 0
        return refused


def changes(levels: list[int]) -> int:
    return sum(before != after for before, after in pairwise(levels))


def test_few_calls_have_the_best_quality() -> None:
    machine = Machine(calls=20)
    machine.run(MINUTE)
    assert machine.control.level == CEILING
    assert changes(machine.levels) == 0
    assert not machine.control.refuses()


def test_complexity_falls_before_the_load_is_at_its_greatest() -> None:
    machine = Machine()
    refused = machine.admit(100, per_second=1.0)
    machine.run(10)
    assert refused == 0
    assert machine.control.level < CEILING
    assert machine.busiest < MAX_LOAD
    assert not machine.control.refuses()


@pytest.mark.parametrize("per_second", [0.5, 2.0, 10.0, 50.0])
def test_new_sessions_are_refused_before_calls_suffer_however_fast_they_come(per_second: float) -> None:
    machine = Machine(calls=20)
    machine.run(2)
    refused = machine.admit(400, per_second)
    machine.run(10)
    assert refused > 100
    assert machine.control.level == 0
    assert machine.control.refuses()
    assert 0.85 * MAX_LOAD < machine.busy <= 1.1 * MAX_LOAD
    assert machine.busiest < 0.95


def test_a_refused_caller_is_admitted_once_others_have_gone() -> None:
    machine = Machine(calls=180)
    machine.run(10)
    assert machine.control.refuses()
    machine.calls = 170
    machine.run(2)
    assert machine.control.refuses(), "a call that ends is no reason to change one's mind"
    machine.calls = 150
    machine.run(2)
    assert not machine.control.refuses()


def test_complexity_comes_back_slowly_and_without_swinging() -> None:
    machine = Machine(calls=170)
    machine.run(10)
    assert machine.control.level == 0
    machine.calls, machine.levels = 30, [0]
    machine.run(30)
    assert 1 <= machine.control.level <= 3
    machine.run(5 * MINUTE)
    assert machine.control.level == CEILING
    assert machine.levels == sorted(machine.levels)


@pytest.mark.parametrize("calls", range(20, 180, 5))
def test_under_constant_load_complexity_settles(calls: int) -> None:
    machine = Machine(calls=calls)
    machine.run(5 * MINUTE)
    machine.levels.clear()
    machine.run(30 * MINUTE)
    assert changes(machine.levels) == 0


def test_where_a_level_costs_far_more_than_the_one_below_it_is_tried_ever_more_rarely() -> None:
    machine = Machine(calls=0, control=LoadControl(1, 0, MAX_LOAD))
    calls_by_level = {0: 80, 1: 160}  # as if it cost twice as much
    for _ in range(round(60 * MINUTE / PERIOD)):
        machine.calls = calls_by_level[machine.control.level]
        machine.run(PERIOD)
    first, last = machine.levels[: len(machine.levels) // 6], machine.levels[-len(machine.levels) // 6 :]
    assert changes(last) < changes(first) / 2
    assert changes(last) <= 6


def test_after_a_level_has_held_the_next_one_is_tried_as_soon_as_ever() -> None:
    machine = Machine(control=LoadControl(2, 0, MAX_LOAD))
    for _ in range(round(20 * MINUTE / PERIOD)):  # up is always one too many
        machine.calls = 160 if machine.control.level else 80
        machine.run(PERIOD)
    machine.calls = 10
    machine.run(12 * MINUTE)
    assert machine.control.level == 2


def test_one_stall_changes_nothing() -> None:
    machine = Machine(calls=20)
    machine.run(10)
    for load in (Load(busy=1.0, late=1.0), Load(busy=0.2)):
        machine.control.update(load, talking=20, coming=0, now=machine.now)
        assert machine.control.level == CEILING
        assert not machine.control.refuses()


def test_calls_that_are_late_below_the_greatest_load_are_encoded_with_less_effort_and_others_refused() -> None:
    machine = Machine(calls=60, late=0.2)
    machine.run(10)
    assert machine.control.level == 0
    assert machine.control.refuses()
    machine.late = 0.0
    machine.run(2)
    assert not machine.control.refuses()
    machine.run(3 * MINUTE)
    assert machine.control.level > 0


def test_nobody_is_refused_for_what_else_runs_on_the_machine() -> None:
    machine = Machine(calls=5, late=0.5)
    machine.run(MINUTE)
    assert machine.control.level == 0
    assert not machine.control.refuses()


def test_where_nobody_calls_late_turns_cost_the_first_caller_nothing() -> None:
    machine = Machine(late=0.5)
    machine.run(MINUTE)
    assert set(machine.levels) == {CEILING}


@pytest.mark.parametrize(
    ("machine", "cause"),
    [
        (Machine(calls=5, late=0.25), "25% of the turns of the media wheel are late"),
        (Machine(calls=80), "media of 80 calls, those included that begin, takes 80% of the time"),
        (Machine(calls=20, coming=60), "media of 80 calls, those included that begin, takes 80% of the time"),
        (Machine(), "there are no calls"),
    ],
    ids=["late", "many", "coming", "none"],
)
def test_the_cause_of_a_change_is_what_it_was_decided_by(machine: Machine, cause: str) -> None:
    machine.run(2 * PERIOD)
    assert machine.control.cause == cause


def test_others_are_refused_where_agents_make_calls_late_however_little_media_takes() -> None:
    machine = Machine(calls=5, late=0.5, own=0.9)
    machine.run(MINUTE)
    assert machine.control.refuses()
    machine.late = 0.0
    machine.run(2)
    assert not machine.control.refuses(), "agents may take what calls do not need"


def test_others_are_refused_as_soon_as_calls_are_late_not_once_complexity_has_proved_too_little() -> None:
    machine = Machine(calls=60, late=0.2)
    machine.run(2 * PERIOD)
    assert machine.control.refuses()
    assert machine.control.level > 0


def test_where_nobody_can_encode_with_less_effort_sessions_are_refused_at_the_same_load() -> None:
    machine = Machine(adjustable=False)
    assert machine.admit(400, 2.0) > 100
    assert machine.busy < 1.1 * MAX_LOAD


def test_a_floor_is_kept_to_and_may_be_the_ceiling() -> None:
    machine = Machine(calls=100, control=LoadControl(9, 4, MAX_LOAD))
    machine.run(MINUTE)
    assert min(machine.levels) == 4
    machine = Machine(calls=120, control=LoadControl(5, 5, MAX_LOAD))
    machine.run(MINUTE)
    assert set(machine.levels) == {5}
    assert machine.control.refuses()


def test_a_greatest_load_of_1_refuses_nobody() -> None:
    machine = Machine(calls=300, late=0.5, control=LoadControl(5, 0, 1.0))
    machine.run(MINUTE)
    assert machine.control.level == 0
    assert not machine.control.refuses(1000)
