"""Time jumps while everybody waits, and stands still while a thread works."""

import threading

import pytest
import trio
from glottis.testing import on_virtual_time


def test_an_hour_takes_no_time() -> None:
    async def wait() -> float:
        await trio.sleep(3600)
        return trio.current_time()

    assert on_virtual_time(wait) == pytest.approx(3600)


def test_a_timeout_does_not_pass_while_a_thread_works() -> None:
    async def wait_for_two_threads() -> float:
        release = threading.Event()
        with trio.fail_after(1):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.to_thread.run_sync, release.wait, 30)
                nursery.start_soon(trio.to_thread.run_sync, release.set)
        return trio.current_time()

    assert on_virtual_time(wait_for_two_threads) < 1


@pytest.mark.slow
def test_time_goes_on_while_a_thread_waits_for_it() -> None:
    """From a thread, trio's time can be waited for: then the clock must not wait for the thread."""

    async def wait_from_a_thread() -> float:
        await trio.to_thread.run_sync(trio.from_thread.run, trio.sleep, 0.01)
        return trio.current_time()

    assert on_virtual_time(wait_from_a_thread) >= 0.01


def test_time_jumps_again_when_the_thread_has_ended() -> None:
    async def work_and_wait() -> float:
        await trio.to_thread.run_sync(lambda: None)
        await trio.sleep(3600)
        return trio.current_time()

    assert on_virtual_time(work_and_wait) >= 3600
