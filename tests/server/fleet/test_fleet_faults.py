"""Workers that are killed, and a reload, under calls; ``python -m benchmarks.fleet_faults`` does more of it."""

from pathlib import Path

import pytest

from benchmarks.fleet_faults import strike


@pytest.mark.realtime
async def test_only_calls_of_a_dead_worker_end_and_the_gateway_holds_as_much_as_before(tmp_path: Path) -> None:
    outcome = await strike(tmp_path, calls=8, kills=3, seconds=0.3)
    assert outcome.complaints == []
    assert len(outcome.replaced) == len(outcome.called_again) == 3
    assert outcome.calls_lost + outcome.beside == 3 * 8
    assert outcome.calls_lost >= 3
    assert outcome.beside >= 3
    print(outcome)
