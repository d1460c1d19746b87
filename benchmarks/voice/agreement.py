"""Whether the lab tells what a real gateway does, with the same speech, networks and settings: a table in Markdown.

``PYTHONPATH=tests python -m benchmarks.voice.agreement`` takes three minutes, for the gateway and its caller go by the
clock on the wall, over loopback, with the network between the caller's driver and its socket. The lab gets it as a
trace, in which is, too, what the machine was late itself. With ``--virtual`` the same gateway is in memory, on virtual
time, and the lab gets the network. It exits with 1 where a condition is off by more than docs/lab.md allows.
"""

import gc
import logging
import random
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import trio
import trio.testing
from glottis import AgentSpec, AudioFrame, Call, hookimpl
from glottis.audio import write_wav
from glottis.contracts.audio import FRAME_SECONDS
from glottis.lab import BurstLoss, Codec, Condition, Delay, Network, Protection, Stalls
from glottis.lab.call import TAIL, Recording, placed
from glottis.lab.measures import Measures, measure
from glottis.lab.models import is_media
from glottis.lab.networks import carriers
from glottis.lab.plan import label_of
from glottis.lab.samples import RATE
from glottis.lab.speech import SpeechFile, read_speech
from glottis.lab.trace import Trace, save_trace
from glottis.lab.trial import run
from support.gateway import CONFIG, open_test_gateway
from support.memory import open_memory_exchange
from support.phone import Exchange, installed_codec, open_exchange

from benchmarks.voice.caller import KNOBS, OPUS_FACTOR, Caller
from benchmarks.voice.line import Line
from benchmarks.voice.speech import recorded_speech
from benchmarks.voice.trial import answer_to, deterministic

NETWORKS: Final = (
    Network(),
    Network(loss=0.1),
    Network(bursts=BurstLoss(loss=0.1, length=4)),
    Network(delay_ms=40, jitter_ms=60, jitter_correlation=0.5, loss=0.03),
    Network(stalls=Stalls(every_s=3.007, ms=150)),  # no packet is sent just when one begins
)
MOST_PESQ: Final = 0.1
MOST_MS: Final = 10.0
SEED: Final = 0
GATEWAY: Final = CONFIG.replace('agent = "echo"', 'agent = "listener"') + '\n[media]\nred = "off"\n'
HEAD: Final = (
    "| network | PESQ-WB, gateway | lab | mouth to ear, ms, gateway | lab | 95 % of it, gateway | lab |\n"
    "|---|---|---|---|---|---|---|\n"
)

Heard = list[tuple[float, AudioFrame]]


class NotedLine(Line):
    """Knows when each packet of the caller's voice has come out of it: at the gateway's socket."""

    def __init__(self, network: Network) -> None:
        super().__init__(*carriers(network, SEED))
        self._arrivals: list[float | None] = []
        self._began_at = 0.0

    def begin(self) -> None:
        """See ``Line``."""
        super().begin()
        self._began_at = trio.current_time()

    def carry_up(self, data: bytes, deliver: Callable[[], None]) -> None:
        """See ``Line``."""
        if self._began_at and is_media(data):
            number = len(self._arrivals)
            self._arrivals.append(None)
            super().carry_up(data, lambda: self._note(number, deliver))
        else:
            super().carry_up(data, deliver)

    def trace(self) -> Trace:
        """What the network did, and the machine."""
        sent = tuple(number * FRAME_SECONDS for number in range(len(self._arrivals)))
        pairs = zip(self._arrivals, sent, strict=True)
        delays = (None if at is None else max(0.0, at - self._began_at - due) for at, due in pairs)
        return Trace(sent=sent, delays=tuple(delays))

    def _note(self, number: int, deliver: Callable[[], None]) -> None:
        self._arrivals[number] = trio.current_time()
        deliver()


class Listener:
    """A plugin with an agent that keeps what it hears, and when."""

    def __init__(self) -> None:
        self.heard: Heard = []

    @hookimpl
    def register_agents(self) -> list[AgentSpec]:
        """The agent ``listener``."""
        return [AgentSpec("listener", lambda settings, campaign: self._listen)]

    async def _listen(self, call: Call) -> None:
        async for frame in call.audio:
            self.heard.append((trio.current_time(), frame))


def main() -> int:
    """Print the table; 1 where both do not agree."""
    is_virtual = "--virtual" in sys.argv[1:]
    logging.disable(logging.WARNING if is_virtual else logging.NOTSET)  # the gateway's watch finds such time odd
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "speech.wav"
        write_wav(str(path), AudioFrame(recorded_speech().samples.tobytes(), RATE))
        speech = read_speech(path)
        sys.stdout.write(HEAD)
        agree = [_row(network, speech, path, is_virtual) for network in NETWORKS]
    return 0 if all(agree) else 1


def _row(network: Network, speech: SpeechFile, path: Path, is_virtual: bool) -> bool:
    line = NotedLine(network)
    real = measure(_call(line, speech, is_virtual), speech.speech)[0]
    lab = _in_lab(network if is_virtual else _as_it_was(network, line, path.parent), path)
    cells = [label_of(network), f"{real.pesq:.2f}", f"{lab.pesq:.2f}"]
    for name in ("delay_ms", "delay_p95_ms"):
        cells += [f"{getattr(real, name):.0f}", f"{getattr(lab, name):.0f}"]
    sys.stdout.write(f"| {' | '.join(cells)} |\n")
    sys.stdout.flush()
    return _is_near(real, lab)


def _as_it_was(network: Network, line: NotedLine, directory: Path) -> Network:
    path = directory / "trace.json"
    save_trace(line.trace(), path)
    return Network(trace=str(path), back=network)


def _in_lab(network: Network, path: Path) -> Measures:
    codec = Codec(bitrate=KNOBS.bitrate, complexity=KNOBS.complexity, sample_rate=RATE * OPUS_FACTOR)
    condition = Condition(
        speech=str(path), codec=codec, delay=Delay(), protection=Protection(), network=network, seed=SEED
    )
    measures = run(condition)[0].measures
    assert measures is not None
    return measures


def _is_near(real: Measures, lab: Measures) -> bool:
    assert real.delay_ms is not None
    assert lab.delay_ms is not None
    return abs(real.pesq - lab.pesq) <= MOST_PESQ and abs(real.delay_ms - lab.delay_ms) <= MOST_MS


def _call(line: Line, speech: SpeechFile, is_virtual: bool) -> Recording:
    gc.collect()
    gc.freeze()  # a collection of what numpy and matplotlib have would be heard
    if not is_virtual:
        return trio.run(_call_on_loopback, line, speech)
    with deterministic(SEED):
        clock = trio.testing.MockClock(autojump_threshold=0)
        return trio.run(_call_in_memory, line, speech, clock=clock)


async def _call_on_loopback(line: Line, speech: SpeechFile) -> Recording:
    listener = Listener()
    with tempfile.TemporaryDirectory() as directory:
        async with (
            open_test_gateway(Path(directory), GATEWAY, [listener]) as gateway,
            open_exchange(gateway) as exchange,
        ):
            return await _speak(exchange, listener, line, speech)


async def _call_in_memory(line: Line, speech: SpeechFile) -> Recording:
    listener = Listener()
    with tempfile.TemporaryDirectory() as directory:
        async with open_memory_exchange(Path(directory), GATEWAY, [listener]) as exchange:
            return await _speak(exchange, listener, line, speech)


async def _speak(exchange: Exchange, listener: Listener, line: Line, speech: SpeechFile) -> Recording:
    caller = Caller(
        exchange.network.open_endpoint(),
        exchange.scheduler,
        line,
        installed_codec("opus"),
        speech.speech,
        rng=random.Random(SEED),
        adapts_bitrate=True,
    )
    exchange.nursery.start_soon(caller.run)
    phone = exchange.phone()
    await phone.create()
    await phone.open_socket()
    await caller.connect(lambda offer: answer_to(phone, offer))
    began_at = (await caller.speak()).began_at
    caller.hang_up()
    heard = [(at - began_at, frame) for at, frame in listener.heard]
    return Recording(placed(heard, speech.speech.seconds + TAIL))


if __name__ == "__main__":
    sys.exit(main())
