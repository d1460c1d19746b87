"""``make bench`` and ``make profile``: what calls cost, beside aiortc and the codec alone, and what they spend it on.

The servers run on one core, the callers on another. CPU time is the server process's own over the steady window, so a
busy machine disturbs it little; lateness and the times of setup suffer from whatever else runs on these cores.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from benchmarks.admission import admission_aims, measure_admission, print_admission
from benchmarks.aims import aims
from benchmarks.compare import compare
from benchmarks.fleet import (
    CALLS,
    FleetResults,
    estimated_seconds,
    fleet_aims,
    measure_round,
    print_fleet,
    run_fleet_rounds,
)
from benchmarks.machine import description
from benchmarks.processes import CALLERS_CORE, SERVER_CORE, Checkout, output_of
from benchmarks.profiling import profile
from benchmarks.report import LEGEND, print_aims, print_results
from benchmarks.results_file import write_results
from benchmarks.rounds import Results, estimated_minutes, run_rounds
from benchmarks.scenarios import MIDDLE, SAMPLE_RATES, Kind, Scenario, cross, full, quick
from benchmarks.speech import COMPLEXITY, SAMPLE_RATE

QUICK_REPEATS: Final = 3
QUICK_SECONDS: Final = 3.0
DEFAULT_REPEATS: Final = 5
DEFAULT_SECONDS: Final = 3.5


def main() -> None:
    """Do what the command line asks for."""
    if sys.argv[1:2] == ["voice"]:  # with a parser of its own, and all that it takes to judge speech
        try:
            from benchmarks.voice.__main__ import main as voice
        except ModuleNotFoundError as error:
            sys.exit(f"{error}: `make voice` installs all of it, and `pip install --group voice` what judges speech")
        sys.exit(voice(sys.argv[2:]))
    options = _parser().parse_args()
    action: Callable[[argparse.Namespace], None] = options.action
    action(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.set_defaults(action=_bench)
    extent = parser.add_mutually_exclusive_group()
    extent.add_argument("--quick", action="store_true", help="what the aims of a call's cost are about, in minutes")
    extent.add_argument("--full", action="store_true", help="each number of calls at each complexity")
    parser.add_argument("--repeats", type=int, help="rounds (default: 5, and 3 of --quick)")
    parser.add_argument("--seconds", type=float, help="length of each steady window (default: 3.5, and 3 of --quick)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all rounds there, after each")
    actions = parser.add_subparsers()
    comparing = actions.add_parser("compare", help="measure this checkout and another alternately")
    comparing.add_argument("checkout", type=Path, help="a folder with glottis, in which make has been run")
    _add_calls(comparing)
    comparing.add_argument("--repeats", type=int, default=5, help="pairs (default: 5)")
    comparing.set_defaults(action=_compare)
    workers = actions.add_parser("workers", help="measure two workers beside one, on all cores")
    workers.add_argument("--calls", type=int, default=CALLS, help="for each worker (default: %(default)s)")
    workers.add_argument("--repeats", type=int, default=DEFAULT_REPEATS, help="rounds (default: %(default)s)")
    workers.add_argument("--seconds", type=float, default=8.0, help="length of each steady window (default: 8)")
    workers.set_defaults(action=_workers)
    admission = actions.add_parser("admission", help="ask for more sessions than there may be, beside running calls")
    admission.add_argument("--workers", type=int, default=2, help="of the gateway (default: %(default)s)")
    admission.add_argument("--calls", type=int, default=20, help="that run meanwhile (default: %(default)s)")
    admission.add_argument("--per-minute", type=float, default=2000, help="requests (default: %(default)s)")
    admission.add_argument("--minutes", type=float, default=5, help="(default: %(default)s)")
    admission.set_defaults(action=_admission)
    profiling = actions.add_parser("profile", help="draw what a gateway spends its time on")
    _add_calls(profiling)
    profiling.add_argument("--pass-through", action="store_true", help="echo packets as they are")
    profiling.add_argument("--output", type=Path, default=Path("build/profile.svg"), help="(default: %(default)s)")
    profiling.set_defaults(action=_profile)
    actions.add_parser("voice", add_help=False, help="what callers hear over bad networks (see voice --help)")
    return parser


def _add_calls(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--calls", type=int, default=MIDDLE, help="simultaneous calls (default: %(default)s)")
    parser.add_argument("--rate", type=int, default=SAMPLE_RATE, choices=SAMPLE_RATES, help="of the agent, hertz")
    parser.add_argument("--complexity", type=int, default=COMPLEXITY, help="of Opus (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=8.0, help="length of each steady window (default: 8)")


def _bench(options: argparse.Namespace) -> None:
    scenarios = quick() if options.quick else full() if options.full else cross()
    repeats = options.repeats or (QUICK_REPEATS if options.quick else DEFAULT_REPEATS)
    seconds = options.seconds or (QUICK_SECONDS if options.quick else DEFAULT_SECONDS)
    setup = not options.quick
    minutes = estimated_minutes(scenarios, repeats, seconds, setup=setup)
    minutes += estimated_seconds(repeats, seconds) / 60 if setup else 0.0
    print(", ".join(description().values()))
    print(f"servers on core {SERVER_CORE}, callers on core {CALLERS_CORE}; about {minutes:.0f} minutes", flush=True)
    results, fleet = Results(), FleetResults()
    for number, results in enumerate(run_rounds(scenarios, repeats, seconds, setup=setup)):
        if setup:
            measure_round(fleet, number, seconds)
        if options.json:
            write_results(results, options.json, fleet)
    print(f"\n{LEGEND}")
    print_results(results)
    if setup:
        print_fleet(fleet)
        print("\nData channel messages (SCTP alone)")
        print(output_of(["-m", "benchmarks.sctp"], SERVER_CORE), end="")
    print_aims([*aims(results), *fleet_aims(fleet)])


def _workers(options: argparse.Namespace) -> None:
    print(", ".join(description().values()), flush=True)
    results = run_fleet_rounds(options.calls, options.repeats, options.seconds)
    print_fleet(results)
    print_aims(fleet_aims(results))


def _admission(options: argparse.Namespace) -> None:
    print(", ".join(description().values()))
    wanted = f"{options.per_minute:g} sessions a minute for {options.minutes:g} minutes"
    print(f"{options.workers} workers, {options.calls} calls, {wanted}", flush=True)
    result = measure_admission(options.workers, options.calls, options.per_minute, options.minutes * 60)
    print_admission(result)
    print_aims(admission_aims(result))


def _compare(options: argparse.Namespace) -> None:
    scenarios = [
        Scenario(Kind.ECHO, options.calls, options.rate, options.complexity),
        Scenario(Kind.PASS_THROUGH, options.calls),
    ]
    compare(Checkout.at(options.checkout), scenarios, options.repeats, options.seconds)


def _profile(options: argparse.Namespace) -> None:
    kind = Kind.PASS_THROUGH if options.pass_through else Kind.ECHO
    scenario = Scenario(kind, options.calls, options.rate, options.complexity)
    profile(scenario, options.seconds, options.output)


if __name__ == "__main__":
    main()
