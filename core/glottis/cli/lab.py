"""``glottis lab``: experiments on virtual networks. It needs the extra ``glottis[lab]``."""

import argparse
from pathlib import Path

from glottis.cli.parts import Commands, Parts, extra


def add(commands: Commands) -> None:
    """Add the command."""
    lab = commands.add_parser("lab", help="measure what callers hear: codecs, delays and protections on bad networks")
    kinds = lab.add_subparsers(required=True, metavar="WHAT")
    run = kinds.add_parser("run", help="run all conditions of an experiment, and write its report")
    run.add_argument("experiment", type=Path, metavar="FILE", help="TOML file that lists what is tried")
    run.add_argument("--output", type=Path, metavar="FOLDER", help="where results are kept (default: FILE-results)")
    run.add_argument("--processes", type=int, metavar="N", help="at a time (default: as many as there are cores)")
    run.add_argument("--yes", action="store_true", help="run what takes longer than ask_above_minutes, too")
    run.set_defaults(run=_run, what="run_command")
    call = kinds.add_parser("call", help="let callers follow a script with an agent, and report their turns")
    call.add_argument("script", type=Path, metavar="FILE", help="TOML file of what callers say, and expect")
    call.add_argument("--callers", type=int, metavar="N", help="so many at once, in place of the file's")
    call.add_argument("--seed", type=int, metavar="N", help="of the first caller's network, in place of the file's")
    call.add_argument("--json", action="store_true", help="print the report as JSON")
    call.set_defaults(run=_run, what="call_command")
    trace = kinds.add_parser("trace", help="make a network of a packet capture of a call")
    trace.add_argument("capture", type=Path, metavar="FILE", help="pcap or pcapng with RTP or SRTP over UDP")
    trace.add_argument("--ssrc", type=_number, metavar="N", help="which stream (default: the longest)")
    trace.add_argument("--clock-rate", type=int, metavar="HERTZ", help="of its timestamps (default: as they advance)")
    trace.add_argument("--output", type=Path, metavar="FILE", help="where it is written (default: FILE.trace.json)")
    trace.set_defaults(run=_run, what="trace_command")
    compare = kinds.add_parser("compare", help="say what is better or worse in one run than in another")
    compare.add_argument("before", type=Path, metavar="A", help="folder of results")
    compare.add_argument("after", type=Path, metavar="B", help="folder of results with the same networks and seeds")
    compare.set_defaults(run=_run, what="compare_command")
    replay = kinds.add_parser("replay", help="run a call again that a gateway has kept, and say what differs")
    replay.add_argument("file", type=Path, metavar="FILE", help="of the extension call-capture")
    replay.add_argument("--agent", metavar="NAME", help="installed, or FILE:FUNCTION (default: the call is only heard)")
    replay.add_argument("--settings", type=Path, metavar="TOML", help="of agent, delay and plugins")
    replay.add_argument("--save", type=Path, metavar="FILE", help="keep the outcome")
    replay.add_argument("--against", type=Path, metavar="FILE", help="an outcome that was kept, to compare with")
    replay.add_argument("--json", action="store_true", help="print both outcomes and the differences as JSON")
    replay.set_defaults(run=_run, what="replay_command")
    networks = kinds.add_parser("networks", help="list the networks with names, and where they are from")
    networks.set_defaults(run=_run, what="networks_command")


def _number(text: str) -> int:
    return int(text, 0)


def _run(options: argparse.Namespace, parts: Parts) -> int:
    with extra("lab", "lab"):
        from glottis.lab import commands  # late, so that other commands need neither it nor what it imports
    command = getattr(commands, options.what)
    exit_code: int = command(options)
    return exit_code
