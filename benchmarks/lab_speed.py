"""How long the lab takes: a minute of speech in one condition, and many conditions with one process and with all cores.

``python -m benchmarks.lab_speed`` takes a minute or two, and wants the machine for itself; it prints two tables in
Markdown. Seconds of the first one are the processor's, of one core; those of the second the wall's.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import monotonic
from typing import Final

import numpy as np
from glottis import AudioFrame
from glottis.audio import write_wav
from glottis.lab import Codec, Condition, Experiment, Network
from glottis.lab.keys import key_of
from glottis.lab.running import Kept, cores, run_all
from glottis.lab.samples import RATE, Samples
from glottis.lab.speech import read_speech
from glottis.lab.threads import in_one_thread
from glottis.lab.timing import Costs
from glottis.lab.trial import run

SPEECH: Final = Path(__file__).parents[1] / "tests" / "vectors" / "audio" / "speech_16k.wav"
LONG_SECONDS: Final = 60
SHORT_SECONDS: Final = 3
COMPLEXITY: Final = 5
CONDITIONS: Final = 100
MOST_SECONDS: Final = 4.0
"""Of one core, for a minute of speech."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print both tables; 1 where a minute of speech takes longer than it may."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lab_speed", description=__doc__)
    parser.add_argument("--conditions", type=int, default=CONDITIONS, help=f"of the second table ({CONDITIONS})")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        seconds = _print_split(_experiment(_speech(folder, LONG_SECONDS)).conditions[0])
        _print_scaling(_experiment(_speech(folder, SHORT_SECONDS), options.conditions), folder)
    return 0 if seconds <= MOST_SECONDS else 1


def _speech(folder: Path, seconds: int) -> Path:
    """So long, the same words again and again."""
    once: Samples = read_speech(SPEECH).speech.samples
    path = folder / f"{seconds}.wav"
    write_wav(str(path), AudioFrame(np.resize(once, seconds * RATE).tobytes(), RATE))
    return path


def _experiment(speech: Path, seeds: int = 1) -> Experiment:
    return Experiment(
        speech=(str(speech),), codecs=(Codec(complexity=COMPLEXITY),), networks=(Network(loss=0.1),), seeds=seeds
    )


def _print_split(condition: Condition) -> float:
    """Returns the seconds that a minute of speech takes, once all is loaded."""
    with in_one_thread():
        run(condition)
        costs = run(condition)[0].costs
    assert isinstance(costs, Costs)
    codec, parts = costs.encoder + costs.decoder, (costs.engines, costs.judging)
    row = [60 / LONG_SECONDS * part for part in (codec + sum(parts), codec, *parts)]
    sys.stdout.write("| a minute of speech, s of a core | codec | engines and network | PESQ and STOI |\n")
    sys.stdout.write(f"|---|---|---|---|\n| {' | '.join(f'{part:.2f}' for part in row)} |\n\n")
    return row[0]


def _print_scaling(experiment: Experiment, folder: Path) -> None:
    """All conditions anew each time; what is kept of one run is not there for the other."""
    keyed = [(key_of(condition), condition) for condition in experiment.conditions]
    numbers = sorted({1, cores()})
    walls = [_seconds(keyed, folder / f"with-{number}", number) for number in numbers]
    sys.stdout.write("| conditions | processes | s | times as fast | of that many processes |\n|---|---|---|---|---|\n")
    for number, wall in zip(numbers, walls, strict=True):
        ratio = walls[0] / wall
        sys.stdout.write(f"| {len(keyed)} | {number} | {wall:.1f} | {ratio:.2f} | {100 * ratio / number:.0f} % |\n")


def _seconds(keyed: Sequence[tuple[str, Condition]], folder: Path, processes: int) -> float:
    began = monotonic()
    results = run_all(keyed, Kept(folder), processes)
    assert not any(result.error for _, result in results)
    return monotonic() - began


if __name__ == "__main__":
    sys.exit(main())
