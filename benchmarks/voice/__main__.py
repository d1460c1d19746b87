"""``make voice``: what callers hear of an echo of their speech, over bad networks, as a table in Markdown.

A real gateway and a caller run on virtual time, with seeded networks between them; a receiver that never changes judges
what comes back. docs/quality.md says what the columns mean.
"""

import argparse
import logging
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import product

from glottis.lab.speech import Speech
from glottis.lab.threads import in_one_thread
from glottis.lab.timing import virtual_time
from glottis.plugins import load_plugins

from benchmarks.voice.networks import BESIDE, CASES, Case
from benchmarks.voice.report import Row, as_json, as_markdown, as_markdown_beside
from benchmarks.voice.score import Score, score
from benchmarks.voice.speech import recorded_speech
from benchmarks.voice.trial import call_gateway

PROCESSES = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a table for each stack when it is ready; 1 where there is no speech to say."""
    options = _parser().parse_args(arguments)
    logging.disable(logging.WARNING)  # the gateway's watch goes by the clock on the wall, and finds time odd
    try:
        speech = recorded_speech()
    except FileNotFoundError as error:
        print(f"{error}: `make voice` installs the prompts", file=sys.stderr)
        return 1
    tables: dict[str, Sequence[Row]] = {}
    cases = [case for case in CASES if options.only in case.title]
    name = "glottis, packets as they are" if options.relay else "glottis"
    tables[name] = _measure_glottis(cases, options.seeds, speech, options.relay)
    if options.beside:
        from benchmarks.voice.beside import measure_stack, stacks_at_hand

        short = [case for case in cases if case.title in BESIDE]
        for stack in stacks_at_hand():
            tables[stack] = measure_stack(stack, short, speech)
    if options.json:
        print(as_json(tables))
        return 0
    for stack, rows in tables.items():
        print(f"\n{stack}\n\n{as_markdown(rows)}", flush=True)
    if len(tables) > 1:
        print(f"\nbeside each other: PESQ-WB, mouth to ear, gap\n\n{as_markdown_beside(tables)}", flush=True)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.voice", description=__doc__)
    parser.add_argument("--seeds", type=int, default=3, help="networks tried of each case (default: 3)")
    parser.add_argument("--only", default="", help="cases with this in their names, such as 'loss 10 %%'")
    parser.add_argument("--relay", action="store_true", help="the gateway sends packets back as they have come")
    parser.add_argument("--beside", action="store_true", help="some cases with other stacks too, in real time")
    parser.add_argument("--json", action="store_true", help="all figures of all seeds instead of tables")
    return parser


def _measure_glottis(cases: Sequence[Case], seeds: int, speech: Speech, relays: bool) -> list[Row]:
    trials = list(product(cases, range(seeds)))
    with ProcessPoolExecutor(PROCESSES, initializer=in_one_thread) as processes:
        futures = [processes.submit(_try, CASES.index(case), seed, speech, relays) for case, seed in trials]
        scores = []
        for (case, seed), future in zip(trials, futures, strict=True):
            scores.append(future.result())
            print(f"{case.title}, seed {seed}: PESQ {scores[-1].pesq:.2f}", file=sys.stderr, flush=True)
    return [Row(case, scores[number * seeds : (number + 1) * seeds]) for number, case in enumerate(cases)]


@virtual_time()
def _try(index: int, seed: int, speech: Speech, relays: bool) -> Score:
    """In a process of its own; a case is named by its number, for it cannot be sent."""
    case = CASES[index]
    recording = call_gateway(case, seed, speech, relays=relays)
    return score(recording, speech, load_plugins().codecs.find(case.codec).spec, case.clock_rate)


if __name__ == "__main__":
    sys.exit(main())
