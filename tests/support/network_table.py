"""The tables of ``docs/networks.md``: ``python -m support.network_table [WORD ...]``, rows with one of these words."""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Final

import trio

from support.moved_page import AWAY, BROWSERS, move_page
from support.networks import NETWORKS, call_in

OUTAGES: Final = (1.0, AWAY, 4.0)
"""Seconds without a network."""
CALLS: Final = 5


async def main(words: Sequence[str]) -> None:
    """Print both, row by row."""
    _print("| network | way of the call | first audio |\n|---|---|---|")
    for network in NETWORKS:
        if _is_wanted(network.name, words):
            with tempfile.TemporaryDirectory() as directory:
                outcome = await call_in(network, Path(directory))
            _print(f"| {network.name} | {outcome.way} | {outcome.first_audio:.2f} s |")
    _print(
        "\n| page in | without a network for | hears the agent again after | is heard again after | worst of both |"
        "\n|---|---|---|---|---|"
    )
    for browser in BROWSERS:
        for away in OUTAGES:
            if _is_wanted(f"page in {browser}", words):
                await _print_page(browser, away)


async def _print_page(browser: str, away: float) -> None:
    moved = []
    for _ in range(CALLS):
        with tempfile.TemporaryDirectory() as directory:
            moved.append(await move_page(browser, Path(directory), away))
    heard, spoke = median(one.heard for one in moved), median(one.spoke for one in moved)
    worst = max(max(one.heard, one.spoke) for one in moved)
    _print(f"| {browser.capitalize()} | {away:g} s | {heard:.2f} s | {spoke:.2f} s | {worst:.2f} s |")


def _is_wanted(name: str, words: Sequence[str]) -> bool:
    return not words or any(word in name for word in words)


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    trio.run(main, sys.argv[1:])
