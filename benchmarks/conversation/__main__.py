"""``python -m benchmarks.conversation``: 42 spoken requests to an assistant without the Internet.

Needs ``pip install 'glottis-local-speech[parts]'``, and flite and espeak-ng of Debian. With its Asterisk prompts some
requests are recordings.
"""

import argparse
import sys

from glottis import PluginError

from benchmarks.conversation.understanding import outcomes_of
from benchmarks.conversation.voices import all_spoken


def main() -> None:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--loss", type=float, nargs="*", default=[0.0, 0.05], help="shares of lost packets (%(default)s)"
    )
    parser.add_argument("--seed", type=int, default=1, help="of what is lost (%(default)s)")
    options = parser.parse_args()
    try:
        calls = all_spoken()
        for loss in options.loss:
            understand(calls, loss, options.seed)
    except (PluginError, FileNotFoundError) as error:
        sys.exit(str(error))


def understand(calls: list[list[tuple[object, bytes]]], loss: float, seed: int) -> None:
    """Print what went wrong, and how many did not."""
    outcomes = []
    for outcome in outcomes_of(calls, loss, seed):
        outcomes.append(outcome)
        if not outcome.is_right:
            print(
                f"  {outcome.request.text!r} was understood as {outcome.understood!r}, and answered {outcome.answer!r}"
            )
    print(f"{sum(each.is_right for each in outcomes)} of {len(outcomes)} rightly answered, {loss:.0%} lost", flush=True)


if __name__ == "__main__":
    main()
