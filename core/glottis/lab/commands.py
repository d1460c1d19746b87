"""What ``glottis lab`` does, from its options to its exit code."""

import argparse
import sys

import msgspec

from glottis.contracts.errors import ConfigurationError, Malformed
from glottis.lab.capture import parse_capture_untrusted
from glottis.lab.comparison import compare, in_one_line
from glottis.lab.experiment import read_experiment
from glottis.lab.presets import PRESETS
from glottis.lab.replaying.command import replay_command
from glottis.lab.results import load_results
from glottis.lab.script import MAX_CALLERS, read_script
from glottis.lab.streams import choose, clock_rate_of, streams_of, trace_of
from glottis.lab.trace import save_trace

__all__ = ["compare_command", "networks_command", "replay_command", "run_command", "trace_command"]


def run_command(options: argparse.Namespace) -> int:
    """1 where a condition has failed."""
    experiment = read_experiment(options.experiment)
    output = options.output or options.experiment.with_name(f"{options.experiment.stem}-results")
    if options.processes is not None and options.processes < 1:
        raise ConfigurationError(f"--processes: expected 1 or more, got {options.processes}")
    results = experiment.run(output, processes=options.processes, may_take_long=options.yes, tell=_tell)
    if (costs := results.costs()) is not None:
        codec = costs.encoder + costs.decoder
        _tell(f"processor: codec {codec:.1f} s, engines {costs.engines:.1f} s, judging {costs.judging:.1f} s")
    for row in results.failed:
        _tell(f"failed: {', '.join(row.result.labels.values())}: {row.result.error}")
    _write(str(output / "report.html"))
    return 1 if results.failed else 0


def call_command(options: argparse.Namespace) -> int:
    """1 where something was not as expected."""
    given = {"callers": options.callers, "seed": options.seed}
    changes = {name: value for name, value in given.items() if value is not None}
    if not 1 <= changes.get("callers", 1) <= MAX_CALLERS:
        raise ConfigurationError(f"--callers: expected 1 to {MAX_CALLERS}, got {options.callers}")
    report = msgspec.structs.replace(read_script(options.script), **changes).run()
    _write(msgspec.json.format(msgspec.json.encode(report), indent=1).decode() if options.json else str(report))
    return 0 if report.ok else 1


def networks_command(options: argparse.Namespace) -> int:
    """A line each."""
    width = max(map(len, PRESETS))
    for name, network in PRESETS.items():
        _write(f"{name.ljust(width)}  {network.source}")
    return 0


def trace_command(options: argparse.Namespace) -> int:
    """Say which stream, what it has suffered, and where the trace is."""
    if options.clock_rate is not None and options.clock_rate < 1:
        raise ConfigurationError(f"--clock-rate: expected 1 or more, got {options.clock_rate}")
    try:
        data = options.capture.read_bytes()
        captured = parse_capture_untrusted(data)
    except OSError as error:
        raise ConfigurationError(f"{options.capture}: cannot be read: {error.strerror}") from None
    except Malformed as error:
        raise ConfigurationError(f"{options.capture}: {error}") from None
    streams = streams_of(captured)
    ssrc = choose(streams, options.ssrc)
    clock_rate = options.clock_rate or clock_rate_of(streams[ssrc])
    trace = trace_of(streams[ssrc], clock_rate, f"{options.capture.name}, SSRC {ssrc:#010x}")
    output = options.output or options.capture.with_suffix(".trace.json")
    try:
        save_trace(trace, output)
    except OSError as error:
        raise ConfigurationError(f"{output}: cannot be written: {error.strerror}") from None
    _write(f"{output}: SSRC {ssrc:#010x} at {clock_rate} Hz: {trace.summary}")
    return 0


def compare_command(options: argparse.Namespace) -> int:
    """A line for each measure, and one for all."""
    differences = compare(load_results(options.before), load_results(options.after))
    for difference in differences:
        _write(str(difference))
    _write(in_one_line(differences))
    return 0


def _write(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def _tell(line: str) -> None:
    sys.stderr.write(f"glottis: {line}\n")
    sys.stderr.flush()
