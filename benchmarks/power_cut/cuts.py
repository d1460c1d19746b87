"""One cut after the other, and what is found after each."""

import random
import statistics
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

import trio
from glottis import AudioFrame, Call
from glottis.client.calling import CallRequest, open_client_call
from support.installed import installed_plugins
from support.phone import LOUD, RATE, TONE

from benchmarks.power_cut.files import Files
from benchmarks.power_cut.machine import Endpoint, Machine, open_endpoint

Moment = Literal["starting", "in a call", "at a call's end", "stopping"]
LONGEST: Final[dict[Moment, float]] = {"starting": 1.5, "in a call": 2.5, "at a call's end": 0.6, "stopping": 0.5}
"""Seconds from what the moment is called after."""
WEIGHTS: Final[dict[Moment, float]] = {"starting": 3, "in a call": 4, "at a call's end": 2, "stopping": 1}
EVERY: Final = 20
"""Cuts after which a word is said."""
ANSWER: Final = 20.0
"""Seconds for a call to be answered and heard."""


@dataclass(frozen=True, slots=True)
class Cut:
    """When the power goes, and what the gateway is like until then."""

    moment: Moment
    seconds: float
    recording: Literal["wav", "ogg"] = "wav"
    workers: int = 1


def random_cuts(number: int, rng: random.Random) -> Iterator[Cut]:
    """Every fourth gateway has two workers."""
    for _ in range(number):
        [moment] = rng.choices([*WEIGHTS], [*WEIGHTS.values()])
        yield Cut(moment, rng.uniform(0, LONGEST[moment]), rng.choice(("wav", "ogg")), rng.choice((1, 1, 1, 2)))


@dataclass(slots=True)
class Outcome:
    """Of all cuts."""

    cuts: Counter[str] = field(default_factory=Counter)
    answered: int = 0
    starts: list[float] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    complaints: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        cuts = ", ".join(f"{count} {moment}" for moment, count in self.cuts.items())
        times = f"{statistics.median(self.starts):.2f} s, at most {max(self.starts):.2f} s" if self.starts else "none"
        lines = [f"{sum(self.cuts.values())} cuts: {cuts}", f"starts that answered a call: {self.answered}"]
        lines += [f"from the start to readiness: {times}"]
        lines += [f"{what}: {count}" for what, count in sorted(self.counts.items())]
        return "\n".join([*lines, *(f"NOT GOOD: {complaint}" for complaint in self.complaints)])


async def cut_power(folder: Path, cuts: Iterator[Cut], rng: random.Random) -> Outcome:
    """Each cut is followed by a start and a call that is answered, the last one, too."""
    outcome, files = Outcome(), Files(folder)
    async with trio.open_nursery() as nursery:
        endpoint, port = await open_endpoint(nursery, rng)
        machine = Machine(folder, port)
        last = Cut("in a call", 0.0)
        for cut in cuts:
            last = cut
            await _try(machine, files, cut, outcome)
            if outcome.cuts.total() % EVERY == 0:
                print(f"… {outcome.cuts.total()} cuts, {len(outcome.complaints)} complaints", flush=True)
        await _try(machine, files, Cut("in a call", 0.0, last.recording, last.workers), outcome, is_last=True)
        nursery.cancel_scope.cancel()
    files.look_at_log()
    _sum_up(outcome, files, endpoint)
    return outcome


async def _try(machine: Machine, files: Files, cut: Cut, outcome: Outcome, *, is_last: bool = False) -> None:
    machine.start(cut.recording, cut.workers)
    try:
        if cut.moment == "starting":
            await trio.sleep(cut.seconds)
        else:
            outcome.starts.append(await machine.ready())
            await trio.to_thread.run_sync(files.look)
            await _call(machine, cut)
            outcome.answered += 1
    except (RuntimeError, trio.TooSlowError, BaseExceptionGroup) as error:
        outcome.complaints.append(f"cut {sum(outcome.cuts.values())}, {cut}: {error!r}")
    finally:
        machine.cut()
    outcome.cuts[cut.moment] += not is_last


async def _call(machine: Machine, cut: Cut) -> None:
    """Talk until an echo is heard, and as long as the cut says from then on, or from the end of the call."""
    codecs = tuple(installed_plugins().codecs.find(name).spec for name in ("opus", "PCMU"))
    with trio.fail_after(ANSWER + cut.seconds):
        async with open_client_call(CallRequest(machine.url, codecs, sample_rate=RATE)) as call:
            call.nursery.start_soon(talk, call)
            async for frame in call.audio:
                if max(memoryview(frame.pcm).cast("B").cast("h"), default=0) > LOUD:
                    break
            if cut.moment == "in a call":
                await trio.sleep(cut.seconds)
                machine.cut()
                return
    if cut.moment == "stopping":
        machine.begin_to_stop()
    await trio.sleep(cut.seconds)


async def talk(call: Call) -> None:
    """A tone, as long as the call."""
    while True:
        await call.say(AudioFrame(TONE, RATE))


def _sum_up(outcome: Outcome, files: Files, endpoint: Endpoint) -> None:
    outcome.counts += files.counts
    outcome.counts["webhooks taken"] = endpoint.taken
    outcome.counts["webhooks failed at"] = endpoint.refused
    outcome.complaints += files.complaints + endpoint.complaints
