"""Two clocks that differ: what waits between them stays little, and what is said is not cut."""

import pytest
from glottis.client.device.frame_queue import MAX_FRAMES, FrameQueue

LOUD, SILENT = b"\x00\x30\x00\xd0" * 160, bytes(640)
MINUTES = 10
FRAMES = 50 * 60 * MINUTES


def run(ppm: float, silence: float) -> tuple[FrameQueue, int, int]:
    """What waits at most in the last minute, and how many loud frames were lost; each fifth second begins silent."""
    queue, most, put, taken = FrameQueue(16000), 0, 0, 0
    for tick in range(FRAMES):
        while put <= tick * (1 + ppm / 1e6):
            is_silent = put % 250 < 250 * silence
            queue.put(SILENT if is_silent else LOUD)
            put += 1
        if tick > FRAMES - 3000:
            most = max(most, len(queue))
        taken += queue.take() == LOUD
    loud = sum(number % 250 >= 250 * silence for number in range(put))
    return queue, most, loud - taken


@pytest.mark.parametrize("ppm", [100, 1000, 10_000])
def test_frames_that_come_too_fast_are_left_out_where_they_are_silent(ppm: float) -> None:
    queue, most, lost = run(ppm, silence=0.2)
    assert most <= 6
    assert queue.dropped == 0
    assert lost <= most
    assert queue.skipped >= FRAMES * ppm / 1e6 - 6


def test_without_a_pause_the_oldest_go_beyond_the_bound() -> None:
    queue, most, _ = run(1000, silence=0)
    assert (most, queue.skipped) == (MAX_FRAMES, 0)
    assert queue.dropped == pytest.approx(FRAMES / 1000 - MAX_FRAMES, abs=2)


def test_clocks_that_are_equal_lose_nothing() -> None:
    queue, most, lost = run(0, silence=0.5)
    assert most <= 1
    assert (lost, queue.skipped, queue.dropped) == (0, 0, 0)


def test_while_nobody_takes_any_none_counts_as_left_out() -> None:
    queue = FrameQueue(16000)
    for _ in range(500):
        queue.put(SILENT)
    assert (len(queue), queue.skipped, queue.dropped) == (MAX_FRAMES, 0, 475)
