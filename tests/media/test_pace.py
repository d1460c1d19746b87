"""The wheel turns for one slot at a time or for two, as its load is, and nobody's packets suffer by that."""

import random
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
import trio
import trio.testing
from glottis.contracts.audio import FRAME_SECONDS
from glottis.contracts.codec import EncoderSettings
from glottis.media.pace import LITTLE, MUCH, REVIEW, Pace
from glottis.media.ring import SLOT
from glottis.media.scheduler import Scheduler
from glottis.rtp import AudioSender, PlainWriter
from glottis.wire.rtp import RtpPacket, parse_rtp_untrusted
from support.crowd import open_crowd
from support.real_call import LINEAR, RATE, LinearCoder

EXACT = 1e-6


class Load:
    """Turns, one after the other, at a pace that it has."""

    def __init__(self) -> None:
        self.pace = Pace()
        self.now = 1000.0

    def turns(self, share: float, seconds: float) -> list[int]:
        """How many slots each of them serves, while they take that share of the time."""
        seen, end = [], self.now + seconds
        while self.now < end:
            slots = self.pace.slots
            seen.append(slots)
            self.pace.note(self.now, self.now + share * slots * SLOT)
            self.now += slots * SLOT
        return seen


def test_turns_become_longer_under_load_and_shorter_without_it() -> None:
    load = Load()
    assert set(load.turns(MUCH / 2, 10.0)) == {1}
    assert load.turns(MUCH * 1.1, 3.0)[-1] == 2
    assert load.turns(LITTLE * 0.9, 3.0)[-1] == 1
    assert load.pace.changes == 2


def test_what_longer_turns_save_is_no_reason_to_go_back() -> None:
    load = Load()
    load.turns(MUCH * 1.1, 3.0)
    assert set(load.turns(MUCH * 1.1 * 0.65, 100.0)) == {2}


def test_load_that_comes_and_goes_changes_the_pace_once_in_a_review_at_most() -> None:
    load = Load()
    for _ in range(1000):
        load.turns(0.0, 0.02)
        load.turns(0.5, 0.02)
    assert load.pace.changes == 1
    for _ in range(20):
        load.turns(0.0, 2 * REVIEW)
        load.turns(0.5, 2 * REVIEW)
    assert load.pace.changes <= 42


class Caller:
    """Sends packets of ``packet_ms``, and takes ``cost`` seconds for each tick; notes which packets left when."""

    def __init__(self, clock: trio.testing.MockClock, packet_ms: float = 20.0) -> None:
        self.cost = 0.0
        self.ticks: list[float] = []
        self.packets: list[tuple[float, RtpPacket]] = []
        self.send_period = max(SLOT, min(packet_ms / 1000, FRAME_SECONDS))
        self.packet_seconds = packet_ms / 1000
        self._clock = clock
        self._sender = AudioSender(
            ssrc=1,
            writer=PlainWriter(96),
            codec=LINEAR,
            encoder=LinearCoder(EncoderSettings(RATE, packet_ms)),
            sample_rate=RATE,
            frame_ms=packet_ms,
            tick=self.send_period,
            rng=random.Random(packet_ms),
        )

    def media_tick(self, now: float) -> None:
        self.ticks.append(now)
        while self._sender.queued < 0.1:
            self._sender.write(bytes(round(FRAME_SECONDS * RATE) * 2))
        self.send_tick(now)

    def send_tick(self, now: float) -> None:
        self.packets += ((now, parse_rtp_untrusted(packet)) for packet in self._sender.next_packets(now))
        self._clock.jump(self.cost)

    def handle_timeout(self, now: float) -> None:
        raise NotImplementedError

    def require_all_packets(self, until: float) -> None:
        """None is missing in between, and none at the end."""
        numbers = [packet.sequence_number for _, packet in self.packets]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        steps = {later.timestamp - earlier.timestamp for (_, earlier), (_, later) in pairwise(self.packets)}
        assert {step & 0xFFFFFFFF for step in steps} == {round(self.packet_seconds * RATE)}
        assert abs(len(self.packets) * self.packet_seconds - (until - self.ticks[0])) <= 2 * FRAME_SECONDS

    def unevenness(self, since: float, until: float) -> float:
        """Seconds by which packets were further apart, or less, than they are long; those sent at once are one."""
        moments = sorted({now for now, _ in self.packets if since <= now < until})
        together = max(self.send_period, self.packet_seconds)
        return max(abs(later - earlier - together) for earlier, later in pairwise(moments))


@pytest.mark.slow
@pytest.mark.parametrize("packet_ms", [2.5, 5.0, 10.0, 20.0, 40.0, 60.0])
async def test_packets_of_any_length_are_even_at_each_pace_and_a_change_moves_them_by_half_a_turn(
    packet_ms: float, nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    scheduler = Scheduler()
    callers = [Caller(autojump_clock, packet_ms) for _ in range(4)]
    busy = [Caller(autojump_clock) for _ in range(20)]
    await _talk(scheduler, nursery, [*callers, *busy])
    assert scheduler.pace.slots == 1
    _set_cost(busy, 0.0002)
    changed_at = await _next_change(scheduler)
    assert scheduler.pace.slots == 2
    _require_even(callers, 0.1, changed_at)
    _require_even(callers, changed_at - 0.2, changed_at + 0.2, 0.0 if packet_ms <= 5 else SLOT)
    await trio.sleep(2.0)
    _set_cost(busy, 0.0)
    again_at = await _next_change(scheduler)
    assert scheduler.pace.slots == 1
    _require_even(callers, changed_at + 0.1, again_at)
    _require_even(callers, again_at - 0.2, again_at + 0.2, 0.0 if packet_ms <= 5 else SLOT)
    await trio.sleep(1.0)
    _require_even(callers, again_at + 0.1, trio.current_time())
    for caller in (*callers, *busy):
        caller.require_all_packets(trio.current_time())
    nursery.cancel_scope.cancel()


async def _talk(scheduler: Scheduler, nursery: trio.Nursery, callers: Sequence[Caller]) -> None:
    for caller in callers:
        scheduler.start_media(caller, caller.send_period)
    nursery.start_soon(scheduler.run)
    await trio.sleep(2.0)


def _set_cost(callers: Sequence[Caller], cost: float) -> None:
    for caller in callers:
        caller.cost = cost


async def _next_change(scheduler: Scheduler) -> float:
    changes = scheduler.pace.changes
    for _ in range(round(3 * REVIEW / SLOT)):
        if scheduler.pace.changes > changes:
            break
        await trio.sleep(SLOT)
    return trio.current_time()


def _require_even(callers: Sequence[Caller], since: float, until: float, most: float = 0.0) -> None:
    assert max(caller.unevenness(since, until) for caller in callers) <= most + EXACT


async def test_a_turn_that_is_late_leaves_nobody_out_and_ticks_nobody_twice(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    scheduler = Scheduler()
    busy = [Caller(autojump_clock) for _ in range(20)]
    await _talk(scheduler, nursery, busy)
    _set_cost(busy, 0.0002)
    await _next_change(scheduler)
    for late in (0.006, 0.009, 0.011, 0.016, 0.019):
        autojump_clock.jump(late)
        await trio.sleep(0.1)
    for caller in busy:
        gaps = [later - earlier for earlier, later in pairwise(caller.ticks)]
        assert max(gaps) < FRAME_SECONDS + 0.03
        assert min(gaps) > 0.0
        caller.require_all_packets(trio.current_time())
    nursery.cancel_scope.cancel()


CONFIG = """
[auth]
scheme = "anonymous"

[server]
port = 0

[campaigns.talk]
agent = "echo"
settings.encoded = true
"""


@pytest.mark.slow
async def test_calls_lose_no_packet_when_the_pace_changes(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_crowd(tmp_path, CONFIG, calls=4) as crowd:
        pace = crowd.exchange.gateway.scheduler.pace
        for _ in range(2):
            changes = pace.changes
            pace.slots = 2
            await trio.sleep(2 * REVIEW)
            assert (pace.slots, pace.changes) == (1, changes + 1)
        assert await crowd.complaints() == []
