"""Cut a gateway's power at random moments: ``PYTHONPATH=tests python -m benchmarks.power_cut``, with redis-server.

It records and captures its calls, spools webhooks, is a node of a cluster, and logs to a ring of files; all its
processes and its Redis get SIGKILL at once. After each cut it is started again, has to answer a call, and its files are
read. That shows what a kill does, not what a disk does that loses what was not forced to it.
"""

import argparse
import random
import sys
import tempfile
from pathlib import Path

import trio

from benchmarks.power_cut.cuts import cut_power, random_cuts


def main() -> int:
    """1 if anything was not good."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.power_cut", description=__doc__)
    parser.add_argument("--cuts", type=int, default=200, help="(default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the moments (default: %(default)s)")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:  # a child of Redis may still write
        outcome = trio.run(cut_power, Path(folder), random_cuts(options.cuts, rng), rng)
    print(outcome)
    return bool(outcome.complaints)


if __name__ == "__main__":
    sys.exit(main())
