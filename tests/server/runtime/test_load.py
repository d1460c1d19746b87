from typing import cast

import pytest
from glottis.media.scheduler import Scheduler
from glottis.server.runtime.load import Load, LoadMeter
from glottis.server.runtime.load_control import LoadControl
from glottis.server.runtime.relief import MAX_DELAY, Relief
from glottis.server.sessions.sessions import Sessions


def test_load_is_that_since_the_last_look() -> None:
    scheduler, processor = Scheduler(), [50.0]
    meter = LoadMeter(scheduler, 100.0, lambda: processor[0])
    assert meter.take(101.0) == Load()
    scheduler.busy += 0.5
    processor[0] += 1.5
    for lateness in (0.0, 0.01, 0.011, 2.0):
        scheduler.lateness.note(lateness)
    load = meter.take(103.0)
    assert load.busy == pytest.approx(0.25)
    assert load.late == pytest.approx(0.5)
    assert load.own == pytest.approx(0.75)
    assert meter.take(104.0) == Load()


class NoSessions(list[None]):
    """As much of ``Sessions`` as relief is for."""

    is_overloaded = staticmethod(lambda: False)


@pytest.mark.parametrize(("max_load", "is_refused"), [(0.7, True), (1.0, False)])
async def test_who_would_stand_in_line_for_long_is_told_so_unless_nobody_is_refused_for_load(
    max_load: float, is_refused: bool
) -> None:
    sessions, delay = cast(Sessions, NoSessions()), [MAX_DELAY]
    Relief(Scheduler(), sessions, LoadControl(5, 0, max_load), lambda: delay[0])
    assert not sessions.is_overloaded()
    delay[0] += 0.1
    assert sessions.is_overloaded() == is_refused
