"""Fails where too few branches are taken, which lines may hide: ``python tools/check_branches.py REPORT PERCENT``."""

import json
import sys
from pathlib import Path


def main(report: str, floor: str) -> str | None:
    """What is wrong, if anything."""
    totals = json.loads(Path(report).read_text())["totals"]
    taken, branches = totals["covered_branches"], totals["num_branches"]
    percent = 100 * taken / branches
    print(f"{taken} of {branches} branches are taken: {percent:.1f} %")
    return f"Take {floor} % of the branches at least." if percent < float(floor) else None


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
