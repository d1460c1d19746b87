"""Whether the lab tells what a real gateway does, with the same speech, networks and settings: a table in Markdown.

``PYTHONPATH=tests python -m benchmarks.voice.agreement`` takes a quarter of an hour, for the gateway and its caller go
by the clock on the wall, over loopback, with the network between the caller's driver and its socket: three minutes for
each of five seeds. The lab gets the network as a trace of when the gateway's engines had each packet, in which is, too,
what the machine was late itself. With ``--virtual`` the same gateway is in memory, on virtual time; with ``--network``
the lab gets what was asked of the network, and has to make of it the same by itself. It exits with 1 where the
medians are off by more than docs/lab.md allows.
"""

import argparse
import gc
import logging
import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

import trio
import trio.testing
from glottis import AudioFrame
from glottis.audio import write_wav
from glottis.contracts.audio import FRAME_SECONDS
from glottis.lab import BurstLoss, Codec, Condition, Delay, Network, Protection, Stalls
from glottis.lab.call import TAIL, Recording, moment_of_phase, placed
from glottis.lab.measures import Measures, measure
from glottis.lab.plan import label_of
from glottis.lab.samples import RATE
from glottis.lab.speech import SpeechFile, read_speech
from glottis.lab.trace import Trace, save_trace
from glottis.lab.trial import run
from support.gateway import CONFIG, open_test_gateway
from support.memory import open_memory_exchange
from support.phone import Exchange, installed_codec, open_exchange

from benchmarks.voice.caller import KNOBS, OPUS_FACTOR, Caller
from benchmarks.voice.noted import Listener, NotedLine, Ticks, in_ticks, trace_of
from benchmarks.voice.speech import recorded_speech
from benchmarks.voice.trial import answer_to, deterministic

NETWORKS: Final = (
    Network(),
    Network(loss=0.1),
    Network(bursts=BurstLoss(loss=0.1, length=4)),
    # With 2 % and more of loss the caller may take such jitter for a queue that overflows, and send less: in which of
    # both calls it does so is a matter of milliseconds.
    Network(delay_ms=40, jitter_ms=60, jitter_correlation=0.5, loss=0.01),
    Network(stalls=Stalls(every_s=3.007, ms=150)),  # no packet is sent just when one begins
)
MOST_PESQ: Final = 0.1
MOST_MS: Final = 10.0
SEEDS: Final = 5
GATEWAY: Final = (
    CONFIG.replace('agent = "echo"', 'agent = "listener"\nextensions = ["Listener"]') + '\n[media]\nred = "off"\n'
)
HEAD: Final = (
    "| network | PESQ-WB, gateway | lab | furthest apart | mouth to ear, ms, gateway | lab | furthest apart "
    "| 95 % of it, gateway | lab |\n|---|---|---|---|---|---|---|---|---|\n"
)


@dataclass(frozen=True, slots=True)
class Taken:
    """A call with a gateway."""

    recording: Recording
    trace: Trace
    ticks: Ticks


@dataclass(frozen=True, slots=True)
class Pair:
    """What both say of the same call."""

    gateway: Measures
    lab: Measures


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; 1 where both do not agree."""
    options = _parser().parse_args(arguments)
    logging.disable(logging.WARNING if options.virtual else logging.NOTSET)  # the gateway's watch finds such time odd
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "speech.wav"
        write_wav(str(path), AudioFrame(recorded_speech().samples.tobytes(), RATE))
        sys.stdout.write(HEAD)
        agree = [_row(network, path, options) for network in NETWORKS]
    return 0 if all(agree) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.voice.agreement", description=__doc__)
    parser.add_argument("--virtual", action="store_true", help="a gateway in memory, on virtual time")
    parser.add_argument(
        "--network", action="store_true", help="no trace for the lab, but what was asked of the network"
    )
    parser.add_argument("--seeds", type=int, default=SEEDS, help=f"calls on each network (default: {SEEDS})")
    return parser


def _row(network: Network, path: Path, options: argparse.Namespace) -> bool:
    """Of the medians: one call that the machine has held up does not matter, and what it was like is told."""
    pairs = [_pair(network, path, seed, options) for seed in range(options.seeds)]
    pesq, delay, delay_95 = (_compared(pairs, name) for name in ("pesq", "delay_ms", "delay_p95_ms"))
    cells = [label_of(network)]
    cells += [f"{value:.2f}" for value in pesq] + [f"{value:.0f}" for value in (*delay, *delay_95[:2])]
    sys.stdout.write(f"| {' | '.join(cells)} |\n")
    sys.stdout.flush()
    return abs(pesq[0] - pesq[1]) <= MOST_PESQ and abs(delay[0] - delay[1]) <= MOST_MS


def _compared(pairs: Sequence[Pair], name: str) -> tuple[float, float, float]:
    """The median of each, and the most by which both differ with one seed."""
    both = [(float(getattr(pair.gateway, name)), float(getattr(pair.lab, name))) for pair in pairs]
    return median(one for one, _ in both), median(two for _, two in both), max(abs(one - two) for one, two in both)


def _pair(network: Network, path: Path, seed: int, options: argparse.Namespace) -> Pair:
    speech = read_speech(path)
    taken = _call(network, seed, speech, options.virtual)
    gateway = measure(taken.recording, speech.speech)[0]
    lab = _in_lab(network if options.network else _as_it_was(network, taken.trace, path.parent), seed, path)
    late = sorted(1000 * one for one in taken.ticks.lateness)
    sys.stderr.write(
        f"{label_of(network)}, seed {seed}: PESQ {gateway.pesq:.2f}, lab {lab.pesq:.2f}; "
        f"{gateway.delay_ms:.0f} ms, lab {lab.delay_ms:.0f}; ticks {late[len(late) * 95 // 100]:.1f} ms late in 95 %, "
        f"{late[-1]:.1f} at most, {taken.ticks.missed} missed\n"
    )
    return Pair(gateway, lab)


def _as_it_was(network: Network, trace: Trace, directory: Path) -> Network:
    path = directory / "trace.json"
    save_trace(trace, path)
    return Network(trace=str(path), back=network)


def _in_lab(network: Network, seed: int, path: Path) -> Measures:
    codec = Codec(bitrate=KNOBS.bitrate, complexity=KNOBS.complexity, sample_rate=RATE * OPUS_FACTOR)
    condition = Condition(
        speech=str(path), codec=codec, delay=Delay(), protection=Protection(), network=network, seed=seed
    )
    measures = run(condition)[0].measures
    assert measures is not None
    return measures


def _call(network: Network, seed: int, speech: SpeechFile, is_virtual: bool) -> Taken:
    if is_virtual:
        with deterministic(seed):
            clock = trio.testing.MockClock(autojump_threshold=0)
            return trio.run(_call_in_memory, network, seed, speech, clock=clock)
    with _no_garbage_collected():
        return trio.run(_call_on_loopback, network, seed, speech)


@contextmanager
def _no_garbage_collected() -> Iterator[None]:
    """To look at all that numpy and matplotlib have takes 0.1 to 0.3 s, which would be heard.

    The gateway has a collector of its own, which looks at what is new, and leaves alone what is frozen.
    """
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


async def _call_on_loopback(network: Network, seed: int, speech: SpeechFile) -> Taken:
    listener = Listener()
    with tempfile.TemporaryDirectory() as directory:
        async with (
            open_test_gateway(Path(directory), GATEWAY, [listener]) as gateway,
            open_exchange(gateway) as exchange,
        ):
            return await _speak(exchange, listener, NotedLine(network, seed), speech, seed)


async def _call_in_memory(network: Network, seed: int, speech: SpeechFile) -> Taken:
    listener = Listener()
    with tempfile.TemporaryDirectory() as directory:
        async with open_memory_exchange(Path(directory), GATEWAY, [listener]) as exchange:
            return await _speak(exchange, listener, NotedLine(network, seed), speech, seed)


async def _speak(exchange: Exchange, listener: Listener, line: NotedLine, speech: SpeechFile, seed: int) -> Taken:
    caller = Caller(
        exchange.network.open_endpoint(),
        exchange.scheduler,
        line,
        installed_codec("opus"),
        speech.speech,
        rng=random.Random(seed),
        adapts_bitrate=True,
    )
    exchange.nursery.start_soon(caller.run)
    phone = exchange.phone()
    await phone.create()
    await phone.open_socket()
    await caller.connect(lambda offer: answer_to(phone, offer))
    # In the phase to the wheel's slots that it has in the lab: a packet that is there just before a tick in the one and
    # just after it in the other would be heard a frame later.
    began_at = (await caller.speak(moment_of_phase(seed, trio.current_time() + FRAME_SECONDS))).began_at
    caller.hang_up()
    ticks = in_ticks([(at, frame) for at, frame in listener.heard if at >= began_at])
    heard = placed([(at - began_at, frame) for at, frame in ticks.due], speech.speech.seconds + TAIL)
    return Taken(
        Recording(heard), trace_of(line.sent, listener.arrived, began_at + FRAME_SECONDS, RATE * OPUS_FACTOR), ticks
    )


if __name__ == "__main__":
    sys.exit(main())
