import pytest
from glottis.media.scheduler import Scheduler
from glottis.server.runtime.load import Load, LoadMeter


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
