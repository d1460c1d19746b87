"""``python -m benchmarks.conversation``: 42 spoken requests to an assistant without the Internet.

Needs ``pip install 'glottis-local-speech[parts]'``, and flite and espeak-ng of Debian. With its Asterisk prompts some
requests are recordings.
"""

import argparse
import importlib
import os
import sys

import trio
from glottis import PluginError

from benchmarks.conversation import hums, strange
from benchmarks.conversation.latency import assistant, report
from benchmarks.conversation.requests import Request
from benchmarks.conversation.understanding import outcomes_of
from benchmarks.conversation.voices import OTHERS, VOICES, all_spoken, trimmed


def main() -> None:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--loss", type=float, nargs="*", default=[0.0, 0.05], help="shares of lost packets (%(default)s)"
    )
    parser.add_argument("--seed", type=int, default=1, help="of what is lost (%(default)s)")
    parser.add_argument("--first", type=int, default=0, help="the voice of the first request, of six (%(default)s)")
    parser.add_argument("--calls", type=int, nargs="*", default=[1, 4], help="callers at a time (%(default)s)")
    parser.add_argument("--others", action="store_true", help="by six other voices, which nothing was fitted to")
    parser.add_argument("--strange", action="store_true", help="only: what is for no skill, and must be asked back")
    parser.add_argument("--hums", action="store_true", help="only: what interrupts the agent, and what does not")
    parser.add_argument(
        "--browser", action="store_true", help="the callers are pages in Chromium; with PYTHONPATH=tests"
    )
    options = parser.parse_args()
    print(f"load of the machine: {', '.join(f'{each:.1f}' for each in os.getloadavg())} on {os.cpu_count()} cores")
    try:
        if options.hums:
            hum()
            return
        if options.strange:
            calls, options.calls = strange.calls(options.first), []
        else:
            calls = all_spoken(options.first, OTHERS if options.others else VOICES)
        for loss in options.loss:
            understand(calls, loss, options.seed)
        for count in options.calls:
            answer(calls, count, in_browser=options.browser)
    except (PluginError, FileNotFoundError) as error:
        sys.exit(str(error))


def hum() -> None:
    """Print what each sound does to an agent that speaks."""
    effects = []
    for effect in hums.effects():
        effects.append(effect)
        print(hums.report(effect), flush=True)
    right = sum(each.was_interrupted == each.sound.interrupts for each in effects)
    print(f"{right} of {len(effects)} sounds had the right effect")


def understand(calls: list[list[tuple[Request, bytes]]], loss: float, seed: int) -> None:
    """Print what went wrong, and how many did not."""
    outcomes = []
    for outcome in outcomes_of(calls, loss, seed):
        outcomes.append(outcome)
        if not outcome.is_right:
            print(
                f"  {outcome.request.text!r} was understood as {outcome.understood!r}, and answered {outcome.answer!r}"
            )
    print(f"{sum(each.is_right for each in outcomes)} of {len(outcomes)} rightly answered, {loss:.0%} lost", flush=True)


def answer(calls: list[list[tuple[Request, bytes]]], count: int, *, in_browser: bool) -> None:
    """Print how soon so many callers at a time are answered."""
    measure = importlib.import_module(f"benchmarks.conversation.{'browser' if in_browser else 'latency'}").measure
    spoken = [trimmed(pcm) for call in calls[1:3] for _, pcm in call]
    with assistant() as (url, counted):
        measured = trio.run(measure, url, spoken[:8], spoken[8:11], count)
    print(report(measured, count), *counted, sep="; ", flush=True)


if __name__ == "__main__":
    main()
