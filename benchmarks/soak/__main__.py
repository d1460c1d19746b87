"""Attacks on a real gateway with listening calls, ends after faults, many calls one by one, and a few for long.

Each attack is made beside calls whose packets are timed by the kernel, and is judged by the largest gap between two
packets of one call, beside that of a control run just before it, without an attack. A run whose control is noisy counts
for nothing and is made again; if each control is noisy, nothing is shown. The gateway has one core; the callers and the
attackers share another.
"""

import argparse
import os
import resource
import sys
from collections.abc import Sequence
from contextlib import suppress

import trio
from support.attacks import ATTACKS, Attack
from support.gateway import gateway_at
from support.phone import open_exchange

from benchmarks.processes import CALLERS_CORE, running
from benchmarks.soak.ears import open_listeners
from benchmarks.soak.endings import FAULTS, end_in_each_state
from benchmarks.soak.server import serving
from benchmarks.soak.trend import IN_1000_CALLS, IN_AN_HOUR, Growth, Sample
from benchmarks.soak.verdict import LIMIT_MS, Heard, Verdict, exit_code, of_attack

CALLS = 20
TRIES = 4
BEGINNING = 3.0
"""Seconds for the attackers to start."""
SAMPLES = 30


def main() -> int:
    """Print each part when it is ready; see ``exit_code``."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each attack (default: 5)")
    parser.add_argument("--faults", type=int, default=len(FAULTS), help="of each method of a plugin (default: all)")
    parser.add_argument("--calls", type=int, default=5000, help="one after the other (default: 5000)")
    parser.add_argument("--minutes", type=float, default=25.0, help="of 20 calls at once (default: 25)")
    options = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # of the attackers, which inherit it
    os.sched_setaffinity(0, {CALLERS_CORE})
    attacked = trio.run(_attacks, options.seconds)
    ended = trio.run(end_in_each_state, options.faults)
    verdicts = [*attacked, ended, trio.run(_many_calls, options.calls), *trio.run(_long_calls, options.minutes)]
    print(f"\n{', '.join(f'{verdicts.count(verdict)} {verdict.value}' for verdict in Verdict)}")
    return exit_code(verdicts)


async def _attacks(seconds: float) -> list[Verdict]:
    print(f"Largest gap of {CALLS} calls, ms, at most {LIMIT_MS:g}", flush=True)
    return [await _attack(attack, seconds) for attack in ATTACKS]


async def _attack(attack: Attack, seconds: float) -> Verdict:
    control = heard = Heard()
    for _ in range(TRIES):
        with suppress(trio.TooSlowError):
            control, heard = await _listen_to_both(attack, seconds)
        verdict = of_attack(heard, control)
        if verdict is not Verdict.NOT_SHOWN:
            break
    print(
        f"{attack.__name__:30}{heard.largest_gap_ms:8.0f}   control {control.largest_gap_ms:4.0f}"
        f"   lost packets {heard.lost}, calls {heard.ended}   {verdict.value}",
        flush=True,
    )
    return verdict


async def _listen_to_both(attack: Attack, seconds: float) -> tuple[Heard, Heard]:
    """Without and under the attack; on a gateway of its own, for what another attack has left is not its fault."""
    with serving() as server:
        async with open_listeners(server.url, CALLS) as listeners:
            control = await listeners.listen(seconds)
            with running(["-m", "benchmarks.soak.attacker", server.url, attack.__name__], CALLERS_CORE):
                await listeners.listen(BEGINNING)
                return control, await listeners.listen(seconds)


async def _many_calls(calls: int) -> Verdict:
    samples: list[Sample] = []
    with serving() as server:
        async with open_exchange(gateway_at(server.url)) as exchange:
            for number in range(calls):
                phone = await exchange.call("talk")
                await phone.hear(1)
                await phone.hang_up()
                if number % max(1, calls // SAMPLES) == 0:
                    samples.append((number, server.holdings()))
    growth = Growth(samples, 1000)
    verdict = growth.verdict(IN_1000_CALLS)
    print(f"\n{calls} calls one after the other; growth in 1,000 calls: {growth}   {verdict.value}", flush=True)
    return verdict


async def _long_calls(minutes: float) -> tuple[Verdict, Verdict]:
    """On what grows, and on what was heard. Its longest gap is printed alone: in so long, any machine is busy once."""
    samples: list[Sample] = []
    parts: list[Heard] = []
    with serving() as server:
        async with open_listeners(server.url, CALLS) as listeners:
            for number in range(SAMPLES):
                parts.append(await listeners.listen(60 * minutes / SAMPLES))
                samples.append((minutes * number / SAMPLES, server.holdings()))
    growth = Growth(samples, 60)
    grows = growth.verdict(IN_AN_HOUR)
    hears = Verdict.GOOD if all(part.is_whole for part in parts) else Verdict.NOT_GOOD
    print(f"\n{CALLS} calls for {minutes:g} minutes; growth in an hour: {growth}   {grows.value}")
    print(f"{_sum(parts)}   {hears.value}", flush=True)
    return grows, hears


def _sum(parts: Sequence[Heard]) -> str:
    packets, lost, wraps = (sum(getattr(part, name) for part in parts) for name in ("packets", "lost", "wraps"))
    gap = max(part.largest_gap_ms for part in parts)
    counts = f"{packets} packets, {lost} lost, {wraps} wraps of sequence numbers, {parts[-1].ended} calls ended"
    return f"{counts}; longest gap {gap:.0f} ms"


if __name__ == "__main__":
    sys.exit(main())
