"""What ``glottis lab`` does, from its options to its exit code."""

import argparse
import sys

from glottis.contracts.errors import ConfigurationError
from glottis.lab.experiment import read_experiment
from glottis.lab.presets import PRESETS


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


def networks_command(options: argparse.Namespace) -> int:
    """A line each."""
    width = max(map(len, PRESETS))
    for name, network in PRESETS.items():
        _write(f"{name.ljust(width)}  {network.source}")
    return 0


def _write(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def _tell(line: str) -> None:
    sys.stderr.write(f"glottis: {line}\n")
    sys.stderr.flush()
