"""Several processes are one gateway: real ones, and calls that go on whatever becomes of the others."""

from pathlib import Path

import pytest
import trio
from support.fleet import FleetProcess, open_fleet, worker_of
from support.phone import Phone

pytestmark = pytest.mark.realtime


async def calls(fleet: FleetProcess, count: int) -> list[Phone]:
    """So many at once."""
    phones: list[Phone] = []

    async def call() -> None:
        phones.append(await fleet.exchange.call())

    async with trio.open_nursery() as nursery:
        for _ in range(count):
            nursery.start_soon(call)
    return phones


async def all_hear(phones: list[Phone], frames: int = 5) -> None:
    async with trio.open_nursery() as nursery:
        for phone in phones:
            nursery.start_soon(phone.hear, frames)


async def test_calls_are_spread_and_those_of_a_worker_that_dies_are_all_that_is_lost(tmp_path: Path) -> None:
    async with open_fleet(tmp_path) as fleet:
        phones = await calls(fleet, 6)
        numbers = [worker_of(phone) for phone in phones]
        assert sorted(numbers.count(number) for number in set(numbers)) == [3, 3]
        await all_hear(phones)
        victim = numbers[0]
        lost = [phone for phone in phones if worker_of(phone) == victim]
        others = [phone for phone in phones if worker_of(phone) != victim]
        fleet.kill(victim)
        for phone in lost:
            assert (await phone.wait_closed())[0] == 1006
        await fleet.command.wait_for(rf"worker {victim} \(process \d+\) was ended by SIGKILL; .* with it: 3")
        await fleet.command.wait_for(r"worker [3-9] \(process \d+\) serves")
        again = await calls(fleet, 3)
        assert {worker_of(phone) for phone in again} == {max(fleet.serving)}
        await all_hear([*again, *others])
        assert all(phone.socket.closed is None for phone in others)
        assert await fleet.stop() == 0
