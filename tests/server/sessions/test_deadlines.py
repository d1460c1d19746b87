"""The deadlines of all sessions, on virtual time."""

import pytest
import trio
import trio.testing
from glottis.server.sessions.deadlines import Deadlines


class Holder:
    """Notes when its time was over, and may fail then."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.ended_at: list[float] = []
        self._error = error

    def expire(self) -> None:
        self.ended_at.append(trio.current_time())
        if self._error is not None:
            raise self._error


@pytest.fixture
async def deadlines(nursery: trio.Nursery) -> Deadlines:
    kept = Deadlines()
    nursery.start_soon(kept.run)
    return kept


async def test_each_is_told_once_when_its_own_time_is_over(
    autojump_clock: trio.testing.MockClock, deadlines: Deadlines
) -> None:
    late, early, lifted = Holder(), Holder(), Holder()
    now = trio.current_time()
    deadlines.set(late, now + 20)
    await trio.sleep(1)
    deadlines.set(early, now + 5)
    deadlines.set(lifted, now + 5)
    await trio.sleep(1)
    deadlines.lift(lifted)
    await trio.sleep(100)
    assert [holder.ended_at for holder in (early, late, lifted)] == [[now + 5], [now + 20], []]


async def test_a_deadline_may_be_put_off_or_brought_forward(
    autojump_clock: trio.testing.MockClock, deadlines: Deadlines
) -> None:
    holder, other = Holder(), Holder()
    now = trio.current_time()
    for seconds in (5, 50):
        deadlines.set(holder, now + seconds)
    for seconds in (50, 5):
        deadlines.set(other, now + seconds)
    await trio.sleep(100)
    assert (holder.ended_at, other.ended_at) == ([now + 50], [now + 5])


@pytest.mark.parametrize("error", [ValueError("oops"), SystemExit()])
async def test_one_that_fails_is_logged_and_keeps_no_other_waiting(
    autojump_clock: trio.testing.MockClock, deadlines: Deadlines, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    failing, other = Holder(error), Holder()
    now = trio.current_time()
    for holder in (failing, other):
        deadlines.set(holder, now + 5)
    await trio.sleep(10)
    assert other.ended_at == [now + 5]
    assert "a session could not expire" in caplog.text
