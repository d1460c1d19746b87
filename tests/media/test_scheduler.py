import itertools
from collections import Counter

import pytest
import trio
import trio.testing
from glottis.contracts.audio import FRAME_SECONDS
from glottis.media.ring import SLOT
from glottis.media.scheduler import Scheduler


class Clockwork:
    def __init__(self) -> None:
        self.ticks: list[float] = []
        self.sends: list[float] = []
        self.timeouts: list[float] = []

    def send_tick(self, now: float) -> None:
        self.sends.append(now)

    def media_tick(self, now: float) -> None:
        self.ticks.append(now)

    def handle_timeout(self, now: float) -> None:
        self.timeouts.append(now)


class CountingSockets:
    def __init__(self) -> None:
        self.flushes: list[float] = []

    def begin_turns(self) -> None: ...
    def drain(self, slots: int) -> None: ...
    def hold(self) -> None: ...
    def end_turns(self) -> None: ...

    def flush(self) -> None:
        self.flushes.append(trio.current_time())


async def test_each_session_is_ticked_every_period_on_time(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    scheduler = Scheduler()
    nursery.start_soon(scheduler.run)
    session = Clockwork()
    scheduler.start_media(session)
    await trio.sleep(1.0)
    steps = [later - earlier for earlier, later in zip(session.ticks, session.ticks[1:], strict=False)]
    assert len(session.ticks) in (49, 50)
    assert max(abs(step - FRAME_SECONDS) for step in steps) < 1e-6
    nursery.cancel_scope.cancel()


async def test_short_packets_get_send_ticks_evenly_between_the_media_ticks(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    scheduler = Scheduler()
    nursery.start_soon(scheduler.run)
    session = Clockwork()
    scheduler.start_media(session, 0.01)
    await trio.sleep(1.0)
    moments = sorted(session.ticks + session.sends)
    steps = [later - earlier for earlier, later in itertools.pairwise(moments)]
    assert len(session.ticks) in (49, 50)
    assert max(abs(step - 0.01) for step in steps) < 1e-6
    scheduler.remove(session)
    assert len(scheduler) == 0
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize(("send_period", "sends"), [(0.02, 0), (0.01, 0), (0.005, 1)])
@pytest.mark.parametrize("heard_from", [False, True])
async def test_short_frames_get_a_media_tick_every_10_ms(
    heard_from: bool,
    send_period: float,
    sends: int,
    nursery: trio.Nursery,
    autojump_clock: trio.testing.MockClock,
) -> None:
    scheduler = Scheduler()
    nursery.start_soon(scheduler.run)
    session = Clockwork()
    scheduler.start_media(session, send_period, 0.01)
    if heard_from:
        scheduler.hear_from(session, trio.current_time() + 0.013)
    await trio.sleep(1.0)
    steps = [later - earlier for earlier, later in itertools.pairwise(session.ticks)]
    assert len(session.ticks) in (98, 99, 100)
    assert max(abs(step - 0.01) for step in steps) < 1e-6
    assert abs(len(session.sends) - sends * len(session.ticks)) <= 2
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize(("slots", "delay"), [(1, 0.0), (2, 2 * SLOT)])
async def test_what_answers_a_frame_is_sent_at_once_or_under_load_in_the_next_turn(
    slots: int, delay: float, nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    scheduler = Scheduler()
    scheduler.pace.slots = slots
    scheduler.pace.note(0.0, 0.1 * slots)  # as much of the time as keeps it there

    class Answering(Clockwork):
        def media_tick(self, now: float) -> None:
            super().media_tick(now)
            scheduler.send_soon(self)

    session = Answering()
    scheduler.start_media(session)
    nursery.start_soon(scheduler.run)
    await trio.sleep(1.0)
    delays = [sent - heard for heard, sent in zip(session.ticks, session.sends, strict=False)]
    assert len(delays) >= 48
    assert delays == pytest.approx([delay] * len(delays), abs=1e-6)
    scheduler.send_soon(session)
    scheduler.remove(session)
    assert len(scheduler) == 0
    nursery.cancel_scope.cancel()


async def test_what_agents_say_between_turns_leaves_at_once_and_together(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    sockets = CountingSockets()
    scheduler = Scheduler(sockets)
    sessions = [Clockwork() for _ in range(3)]
    for session in sessions:
        scheduler.start_media(session)
    nursery.start_soon(scheduler.run)
    await trio.sleep(0.1012)
    sockets.flushes.clear()
    for session in sessions:
        scheduler.send_soon(session)
    await trio.testing.wait_all_tasks_blocked()
    assert [session.sends for session in sessions] == [[trio.current_time()]] * 3
    assert sockets.flushes == [trio.current_time()]
    await trio.sleep(1.0)
    assert all(len(session.sends) == 1 for session in sessions)
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize("after", [0.0, 0.001, 0.007, 0.0149, 0.045])
async def test_media_ticks_follow_the_packets_of_a_caller(
    after: float, nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    scheduler = Scheduler()
    nursery.start_soon(scheduler.run)
    session = Clockwork()
    scheduler.start_media(session)
    await trio.sleep(0.1)
    moment = trio.current_time() + after
    scheduler.hear_from(session, moment)
    await trio.sleep(1.0)
    since = [tick for tick in session.ticks if tick > moment - 1e-6]
    assert 0 <= since[0] - moment + 1e-6 < SLOT + 2e-6
    assert max(abs(later - earlier - FRAME_SECONDS) for earlier, later in itertools.pairwise(since)) < 1e-6
    nursery.cancel_scope.cancel()


async def test_callers_whose_packets_come_together_do_not_crowd_a_slot(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    scheduler = Scheduler()
    nursery.start_soon(scheduler.run)
    sessions = [Clockwork() for _ in range(60)]
    for session in sessions:
        scheduler.start_media(session)
        scheduler.hear_from(session, trio.current_time())
    await trio.sleep(0.1)
    phases = Counter(round(session.ticks[-1] % FRAME_SECONDS / SLOT) % 4 for session in sessions)
    assert max(phases.values()) - min(phases.values()) <= 8
    scheduler.hear_from(Clockwork(), trio.current_time())
    assert len(scheduler) == 60
    nursery.cancel_scope.cancel()


async def test_sessions_are_spread_over_the_period(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    scheduler = Scheduler()
    sessions = [Clockwork() for _ in range(8)]
    for session in sessions:
        scheduler.start_media(session)
    nursery.start_soon(scheduler.run)
    await trio.sleep(1.0)
    phases = [round(session.ticks[0] % FRAME_SECONDS / SLOT) for session in sessions]
    assert sorted(phases) == [0, 0, 1, 1, 2, 2, 3, 3]
    nursery.cancel_scope.cancel()


async def test_a_timeout_fires_once_within_a_slot_and_a_replaced_one_never(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    scheduler = Scheduler()
    nursery.start_soon(scheduler.run)
    start = trio.current_time()
    session = Clockwork()
    scheduler.call_at(session, start + 0.1)
    scheduler.call_at(session, start + 0.3)
    await trio.sleep(1.0)
    assert len(session.timeouts) == 1
    assert 0.3 <= session.timeouts[0] - start <= 0.3 + 2 * SLOT
    nursery.cancel_scope.cancel()


async def test_a_removed_session_is_left_alone_and_leaves_nothing(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    scheduler = Scheduler()
    nursery.start_soon(scheduler.run)
    session = Clockwork()
    scheduler.start_media(session)
    scheduler.call_at(session, trio.current_time() + 0.1)
    scheduler.remove(session)
    await trio.sleep(1.0)
    assert (session.ticks, session.timeouts, len(scheduler)) == ([], [], 0)
    nursery.cancel_scope.cancel()


async def test_a_session_may_remove_itself_in_its_tick(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    scheduler = Scheduler()

    class Leaving(Clockwork):
        def media_tick(self, now: float) -> None:
            super().media_tick(now)
            scheduler.remove(self)

    sessions = [Leaving() for _ in range(8)]
    for session in sessions:
        scheduler.start_media(session)
    nursery.start_soon(scheduler.run)
    await trio.sleep(0.1)
    assert [len(session.ticks) for session in sessions] == [1] * 8
    nursery.cancel_scope.cancel()


async def test_after_a_blocked_loop_a_session_is_ticked_once_not_once_per_missed_slot(
    nursery: trio.Nursery, mock_clock: trio.testing.MockClock
) -> None:
    scheduler = Scheduler()
    session = Clockwork()
    scheduler.start_media(session)
    nursery.start_soon(scheduler.run)
    await trio.testing.wait_all_tasks_blocked()
    mock_clock.jump(0.5)
    await trio.testing.wait_all_tasks_blocked()
    assert len(session.ticks) == 1
    mock_clock.jump(FRAME_SECONDS)
    await trio.testing.wait_all_tasks_blocked()
    assert len(session.ticks) == 2
    nursery.cancel_scope.cancel()


class Sockets:
    """Note when they are read, in a list that others write to, too."""

    def __init__(self, diary: list[str]) -> None:
        self._diary = diary

    def begin_turns(self) -> None: ...

    def drain(self, slots: int) -> None:
        self._diary.append("read")

    def end_turns(self) -> None: ...
    def hold(self) -> None: ...
    def flush(self) -> None: ...


async def test_sockets_are_read_before_media_but_after_it_when_the_wheel_is_late(
    nursery: trio.Nursery, mock_clock: trio.testing.MockClock
) -> None:
    diary: list[str] = []

    class Speaking(Clockwork):
        def media_tick(self, now: float) -> None:
            diary.append("tick")

    scheduler = Scheduler(Sockets(diary))
    scheduler.start_media(Speaking())
    nursery.start_soon(scheduler.run)
    await trio.testing.wait_all_tasks_blocked()
    for _ in range(4):
        mock_clock.jump(SLOT)
        await trio.testing.wait_all_tasks_blocked()
    assert [*diary[:1], "tick"] == ["read", "tick"]
    assert diary[diary.index("tick") - 1] == "read"
    diary.clear()
    mock_clock.jump(FRAME_SECONDS + SLOT)
    await trio.testing.wait_all_tasks_blocked()
    assert diary == ["tick", "read"]
    nursery.cancel_scope.cancel()


async def test_many_timeouts_at_once_are_spread_over_turns_so_that_media_goes_on(
    nursery: trio.Nursery, mock_clock: trio.testing.MockClock
) -> None:
    scheduler = Scheduler()

    class Laborious(Clockwork):
        def handle_timeout(self, now: float) -> None:
            super().handle_timeout(now)
            mock_clock.jump(0.0005)

    speaking = Clockwork()
    laborious = [Laborious() for _ in range(100)]
    scheduler.start_media(speaking)
    for session in laborious:
        scheduler.call_at(session, 0.001)
    nursery.start_soon(scheduler.run)
    most = 0
    for _ in range(40):
        before = sum(len(session.timeouts) for session in laborious)
        await trio.testing.wait_all_tasks_blocked()
        mock_clock.jump(SLOT / 2)
        await trio.testing.wait_all_tasks_blocked()
        most = max(most, sum(len(session.timeouts) for session in laborious) - before)
    assert [len(session.timeouts) for session in laborious] == [1] * 100
    assert most == 4
    steps = [later - earlier for earlier, later in itertools.pairwise(speaking.ticks)]
    assert max(steps) <= FRAME_SECONDS + SLOT
    nursery.cancel_scope.cancel()


async def test_a_wheel_that_is_always_late_ends_when_it_is_told(mock_clock: trio.testing.MockClock) -> None:
    class Heavy(Clockwork):
        def media_tick(self, now: float) -> None:
            super().media_tick(now)
            assert len(self.ticks) < 100, "it turns on"
            mock_clock.jump(2 * FRAME_SECONDS)

    scheduler, session = Scheduler(), Heavy()
    scheduler.start_media(session)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(scheduler.run)
        while len(session.ticks) < 3:
            mock_clock.jump(SLOT)
            await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    assert len(session.ticks) <= 4


async def test_the_wheel_knows_how_late_it_was(nursery: trio.Nursery, mock_clock: trio.testing.MockClock) -> None:
    scheduler = Scheduler()
    scheduler.start_media(Clockwork())
    nursery.start_soon(scheduler.run)
    await trio.testing.wait_all_tasks_blocked()
    for turn in range(1, 201):
        mock_clock.jump(turn * SLOT + 1e-6 - trio.current_time())
        await trio.testing.wait_all_tasks_blocked()
    mock_clock.jump(201 * SLOT + 0.040 - trio.current_time())
    await trio.testing.wait_all_tasks_blocked()
    assert round(scheduler.lateness.longest, 6) == 0.040
    assert scheduler.lateness.quantile(0.99) <= 0.001
    assert round(scheduler.lateness.quantile(1), 6) == 0.040
    nursery.cancel_scope.cancel()


async def test_a_moment_is_free_when_the_next_slot_is_far_enough(
    nursery: trio.Nursery, mock_clock: trio.testing.MockClock
) -> None:
    scheduler = Scheduler()
    free: list[float] = []
    scheduler.use_free_moment = lambda: free.append(trio.current_time())

    class Busy(Clockwork):
        def media_tick(self, now: float) -> None:
            mock_clock.jump(0.0025)

    scheduler.start_media(Busy())
    nursery.start_soon(scheduler.run)
    await trio.testing.wait_all_tasks_blocked()
    for _ in range(8):
        mock_clock.jump(SLOT / 2)
        await trio.testing.wait_all_tasks_blocked()
    assert [round(moment / SLOT) for moment in free] == [1, 2, 3]
    nursery.cancel_scope.cancel()


async def test_the_time_that_ticks_take_and_how_many_turns_were_late_are_counted(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    class Slow(Clockwork):
        def media_tick(self, now: float) -> None:
            super().media_tick(now)
            autojump_clock.jump(0.002)

    scheduler = Scheduler()
    scheduler.start_media(Slow())
    nursery.start_soon(scheduler.run)
    await trio.sleep(1.0)
    assert 0.096 <= scheduler.busy <= 0.1001
    assert 195 <= scheduler.lateness.turns() <= 201
    assert scheduler.lateness.turns(later_than=0.01) == 0
    autojump_clock.jump(0.05)
    await trio.sleep(0.1)
    assert scheduler.lateness.turns(later_than=0.01) == 1
    nursery.cancel_scope.cancel()
