"""Attacks on a real gateway with listening calls, many calls one after the other, and a few for long.

Each attack is made beside calls whose packets are timed by the kernel, and is judged by the largest gap between two
packets of one call, beside that of a control run just before it, without an attack. A run whose control is noisy counts
for nothing and is made again. The gateway has one core; the callers and the attackers share another.
"""

import argparse
import math
import os
import resource
import sys
from collections.abc import Sequence
from contextlib import suppress

import trio
from support.attacks import ATTACKS, Attack
from support.phone import open_exchange

from benchmarks.processes import CALLERS_CORE, running
from benchmarks.soak.ears import Heard, gateway_at, open_listeners
from benchmarks.soak.server import serving
from benchmarks.soak.trend import Sample, growth

CALLS = 20
LIMIT_MS = 60.0
"""Usual is up to 40: a packet every 20 ms, and a wheel that turns every 5."""
TRIES = 4
BEGINNING = 3.0
"""Seconds for the attackers to start."""
SAMPLES = 30


def main() -> int:
    """Print each part when it is ready; 1 if an attack has cost others too much."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each attack (default: 5)")
    parser.add_argument("--calls", type=int, default=5000, help="one after the other (default: 5000)")
    parser.add_argument("--minutes", type=float, default=25.0, help="of 20 calls at once (default: 25)")
    options = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # of the gateway and the attackers, which inherit it
    os.sched_setaffinity(0, {CALLERS_CORE})
    attacked = trio.run(_attacks, options.seconds)
    trio.run(_many_calls, options.calls)
    lasted = trio.run(_long_calls, options.minutes)
    return 0 if attacked and lasted else 1


async def _attacks(seconds: float) -> bool:
    print(f"Largest gap of {CALLS} calls, ms, at most {LIMIT_MS:g}", flush=True)
    verdicts = [await _attack(attack, seconds) for attack in ATTACKS]
    return all(verdicts)


async def _attack(attack: Attack, seconds: float) -> bool:
    control = heard = Heard(largest_gap_ms=math.inf)
    for _ in range(TRIES):
        with suppress(trio.TooSlowError):
            control, heard = await _listen_to_both(attack, seconds)
        if _is_good(heard) or _is_good(control):
            break
    verdict = "good" if _is_good(heard) else "NOT GOOD" if _is_good(control) else "NOT SHOWN: the machine is busy"
    print(
        f"{attack.__name__:30}{heard.largest_gap_ms:8.0f}   control {control.largest_gap_ms:4.0f}"
        f"   lost packets {heard.lost}, calls {heard.ended}   {verdict}",
        flush=True,
    )
    return _is_good(heard) or not _is_good(control)


def _is_good(heard: Heard) -> bool:
    return heard.largest_gap_ms <= LIMIT_MS and not heard.lost and not heard.ended


async def _listen_to_both(attack: Attack, seconds: float) -> tuple[Heard, Heard]:
    """Without and under the attack; on a gateway of its own, for what another attack has left is not its fault."""
    with serving() as server:
        async with open_listeners(server.url, CALLS) as listeners:
            control = await listeners.listen(seconds)
            with running(["-m", "benchmarks.soak.attacker", server.url, attack.__name__], CALLERS_CORE):
                await listeners.listen(BEGINNING)
                return control, await listeners.listen(seconds)


async def _many_calls(calls: int) -> None:
    samples: list[Sample] = []
    with serving() as server:
        async with open_exchange(gateway_at(server.url)) as exchange:
            for number in range(calls):
                phone = await exchange.call("talk")
                await phone.hear(1)
                await phone.hang_up()
                if number % max(1, calls // SAMPLES) == 0:
                    samples.append((number, server.holdings()))
    print(f"\n{calls} calls one after the other; growth in 1,000 calls: {growth(samples, 1000)}", flush=True)


async def _long_calls(minutes: float) -> bool:
    samples: list[Sample] = []
    parts: list[Heard] = []
    with serving() as server:
        async with open_listeners(server.url, CALLS) as listeners:
            for number in range(SAMPLES):
                parts.append(await listeners.listen(60 * minutes / SAMPLES))
                samples.append((minutes * number / SAMPLES, server.holdings()))
    print(f"\n{CALLS} calls for {minutes:g} minutes; growth in an hour: {growth(samples, 60)}")
    print(f"{_sum(parts)}", flush=True)
    return not any(part.lost or part.ended for part in parts)


def _sum(parts: Sequence[Heard]) -> str:
    packets, lost, wraps = (sum(getattr(part, name) for part in parts) for name in ("packets", "lost", "wraps"))
    gap = max(part.largest_gap_ms for part in parts)
    counts = f"{packets} packets, {lost} lost, {wraps} wraps of sequence numbers, {parts[-1].ended} calls ended"
    return f"{counts}; longest gap {gap:.0f} ms"


if __name__ == "__main__":
    sys.exit(main())
