"""``PYTHONPATH=tests python -m benchmarks.fleet_faults``: kill workers under calls, and reload under them.

Two workers have the calls, and the longest-lived one is killed again and again. Each time its own callers are to see
their WebSocket close, and to call again: one at once, one as soon as a new worker serves, and then all others. Calls of
the other worker are to lose no packet, and once all have called the gateway is to hold as many processes and
descriptors as before. Times are those of the clock on the wall, from the kill.
"""

import argparse
import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import trio
from support.fleet import FleetProcess, open_fleet, worker_of
from support.phone import Phone, eventually

from benchmarks.processes import family_of

AIM: Final = 2.0
"""Seconds within which a new worker is to take calls; they are told, whatever the machine is busy with."""
BOUND: Final = 10.0
"""Seconds beyond which that is not good, however busy the machine is."""
PATIENCE: Final = 30.0
"""Seconds for what begins or ends with a process."""
PATIENCE_OF_ALL: Final = 120.0
"""Seconds for the whole run, and as many as ``PATIENCE`` for each kill."""
FRAMES: Final = 5
_SERVER: Final = "shutdown_grace = 60\nmax_sessions_per_client = 200\nmax_connections_per_client = 400"


@dataclass(frozen=True, slots=True)
class Held:
    """By all processes of the gateway together."""

    processes: int
    descriptors: int

    def __str__(self) -> str:
        return f"{self.processes} processes, {self.descriptors} descriptors"


@dataclass(slots=True)
class Outcome:
    """Of all faults."""

    replaced: list[float] = field(default_factory=list)
    """Seconds from a kill until a new worker had a call, whose setup is counted; and"""
    called_again: list[float] = field(default_factory=list)
    """until somebody who had lost theirs heard the agent again."""
    calls_lost: int = 0
    """With their workers."""
    beside: int = 0
    """Calls that had another worker when one was killed, and"""
    packets: int = 0
    """what they have heard meanwhile, and what calls have heard that went on under a reload."""
    reloaded: float = 0.0
    """Seconds."""
    complaints: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        timely = f"within {AIM:g} s: {sum(seconds <= AIM for seconds in self.replaced)} of {len(self.replaced)}"
        lines = [
            f"{len(self.replaced)} kills: {self.calls_lost} calls ended with their worker, {self.beside} went on",
            f"a new worker had a call after {_shown(self.replaced)}; {timely}",
            f"who called again at once heard the agent after {_shown(self.called_again)}",
            f"new workers served {self.reloaded:.2f} s after SIGHUP",
            f"calls that went on have heard {self.packets} packets in all that",
        ]
        return "\n".join([*lines, *(f"NOT GOOD: {complaint}" for complaint in self.complaints)])


def main() -> int:
    """1 if anything was not good."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fleet_faults", description=__doc__)
    parser.add_argument("--calls", type=int, default=30, help="(default: %(default)s)")
    parser.add_argument("--kills", type=int, default=20, help="(default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=1.0, help="to listen after each fault (default: %(default)s)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        outcome = trio.run(strike, Path(folder), options.calls, options.kills, options.seconds)
    print(outcome)
    return bool(outcome.complaints)


async def strike(folder: Path, calls: int, kills: int, seconds: float) -> Outcome:
    """All faults, one after the other, under so many calls."""
    outcome = Outcome()
    async with open_fleet(folder, _SERVER, patience=PATIENCE_OF_ALL + kills * PATIENCE) as fleet:
        idle = await settled(fleet)
        trial = Trial(fleet, seconds, outcome, await call(fleet, calls))
        held = await settled(fleet)
        for number in range(1, kills + 1):
            await trial.kill(number)
            await trial.compare(f"kill {number}", held)
        await trial.reload()
        for phone in trial.phones:
            await phone.hang_up()
        await trial.compare("the end of all calls", idle)
        if await fleet.stop():
            outcome.complaints.append("the gateway has not ended in good order")
    return outcome


class Trial:
    """``phones`` have calls."""

    def __init__(self, fleet: FleetProcess, seconds: float, outcome: Outcome, phones: list[Phone]) -> None:
        self.phones = phones
        self._fleet = fleet
        self._seconds = seconds
        self._outcome = outcome

    async def kill(self, number: int) -> None:
        """One worker, and have all call again that were with it."""
        victim = min(worker_of(phone) for phone in self.phones)
        dead = [phone for phone in self.phones if worker_of(phone) == victim]
        others = [phone for phone in self.phones if worker_of(phone) != victim]
        before = heard(others)
        served = len(self._fleet.serving)
        self._fleet.kill(victim)
        killed_at = trio.current_time()
        for phone in dead:
            code, _ = await phone.wait_closed()
            if code != 1006:
                self._complain(f"kill {number}: a WebSocket was closed with {code}")
            phone.hang_down()
        first = await self._fleet.exchange.call()
        await first.hear(1)
        self._outcome.called_again.append(trio.current_time() - killed_at)
        await eventually(partial(self._fleet.has_served, served + 1))
        second = await self._fleet.exchange.call()
        self._note_replaced(number, [first, second], trio.current_time() - killed_at)
        again = [first, second, *await call(self._fleet, len(dead) - 2)]
        await trio.sleep(self._seconds)
        self._look_at(f"kill {number}", others, before)
        self.phones = [*others, *again]
        self._outcome.calls_lost += len(dead)
        self._outcome.beside += len(others)

    def _note_replaced(self, number: int, phones: Sequence[Phone], seconds: float) -> None:
        """On a busy machine the first call may be strain enough for the second to have another worker."""
        self._outcome.replaced.append(seconds)
        print(f"kill {number}: a new worker had a call after {seconds:.2f} s", file=sys.stderr, flush=True)
        if self._fleet.serving[-1] not in map(worker_of, phones):
            self._complain(f"kill {number}: the new worker was given no call")
        if seconds > BOUND:
            self._complain(f"kill {number}: a new worker had a call after {seconds:.1f} s")

    async def reload(self) -> None:
        """All calls go on, and new ones are with new workers."""
        old, before, served = list(self.phones), heard(self.phones), len(self._fleet.serving)
        began = trio.current_time()
        self._fleet.reload()
        await self._fleet.command.wait_for("2 new workers serve")
        self._outcome.reloaded = trio.current_time() - began
        new = await call(self._fleet, 2)
        await trio.sleep(self._seconds)
        self._look_at("reload", old, before)
        if not {worker_of(phone) for phone in new} <= set(self._fleet.serving[served:]):
            self._complain("reload: an old worker was given a call")
        self.phones += new

    async def compare(self, when: str, before: Held) -> None:
        """What is held as soon as it is as much as before, or after a while."""
        now = await settled(self._fleet, before)
        if now != before:
            self._complain(f"after {when}: {now}; before: {before}")

    def _look_at(self, when: str, phones: Sequence[Phone], before: Sequence[tuple[int, int]]) -> None:
        """They were to hear the whole time, and all."""
        gone = sum(phone.socket.closed is not None for phone in phones)
        since = [
            (packets - had, lost - missed) for (packets, lost), (had, missed) in zip(heard(phones), before, strict=True)
        ]
        self._outcome.packets += sum(packets for packets, _ in since)
        lost, silent = sum(lost for _, lost in since), sum(packets < 25 * self._seconds for packets, _ in since)
        if gone or lost or silent:
            told = f"{when}: of {len(phones)} calls that go on {gone} were closed, {silent} heard little"
            self._complain(f"{told}, and {lost} packets are lost")

    def _complain(self, complaint: str) -> None:
        self._outcome.complaints.append(complaint)


async def call(fleet: FleetProcess, count: int) -> list[Phone]:
    """So many at once, who hear the agent."""
    phones: list[Phone] = []

    async def one() -> None:
        phone = await fleet.exchange.call()
        await phone.hear(FRAMES)
        phones.append(phone)

    async with trio.open_nursery() as nursery:
        for _ in range(count):
            nursery.start_soon(one)
    return phones


def heard(phones: Sequence[Phone]) -> list[tuple[int, int]]:
    """Packets that each phone has got, and those that it or, as it was told last, the gateway has missed."""
    found: list[tuple[int, int]] = []
    for phone in phones:
        seen = phone.peer.statistics(trio.current_time())
        got, said = seen.inbound_rtp, seen.remote_inbound_rtp
        found.append((got.packets_received if got else 0, sum(one.packets_lost for one in (got, said) if one)))
    return found


async def settled(fleet: FleetProcess, wanted: Held | None = None) -> Held:
    """What is held once it is as ``wanted``, or no longer changes, with a worker that waits; or after a while."""
    last = holdings(fleet)
    with trio.move_on_after(PATIENCE):
        while True:
            await trio.sleep(0.2 if wanted else 1.5)
            last, before = holdings(fleet), last
            if last == (wanted or before) and len(fleet.workers) == 3:  # two, and the one that waits
                break
    return last


def holdings(fleet: FleetProcess) -> Held:
    """Now."""
    pids = family_of(fleet.command.process.pid)
    return Held(len(pids), sum(map(_descriptors, pids)))


def _descriptors(pid: int) -> int:
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:  # it has just ended
        return 0


def _shown(seconds: Sequence[float]) -> str:
    return f"{statistics.median(seconds):.2f} s, at most {max(seconds):.2f} s" if seconds else "–"


if __name__ == "__main__":
    sys.exit(main())
