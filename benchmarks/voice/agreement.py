"""Whether the lab tells what a real gateway does, with the same speech, networks and settings: a table in Markdown.

``PYTHONPATH=tests python -m benchmarks.voice.agreement`` takes three minutes, for the gateway and its caller go by the
clock on the wall, over loopback, with the network between the caller's driver and its socket: it wants an idle machine.
With ``--virtual`` the same gateway is in memory, on virtual time. It exits with 1 where a condition is off by more than
docs/lab.md allows.
"""

import gc
import logging
import random
import sys
import tempfile
from pathlib import Path
from typing import Final

import trio
import trio.testing
from glottis import AgentSpec, AudioFrame, Call, hookimpl
from glottis.audio import write_wav
from glottis.lab import BurstLoss, Codec, Condition, Delay, Network, Protection, Stalls
from glottis.lab.call import TAIL, Recording, placed
from glottis.lab.measures import Measures, measure
from glottis.lab.networks import carriers
from glottis.lab.plan import label_of
from glottis.lab.samples import RATE
from glottis.lab.speech import SpeechFile, read_speech
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
        sys.stdout.write(
            "| network | PESQ-WB, gateway | lab | mouth to ear, ms, gateway | lab | 95 % of it, gateway | lab |\n"
        )
        sys.stdout.write("|---|---|---|---|---|---|---|\n")
        agree = [_row(network, speech, path, is_virtual) for network in NETWORKS]
    return 0 if all(agree) else 1


def _row(network: Network, speech: SpeechFile, path: Path, is_virtual: bool) -> bool:
    codec = Codec(bitrate=KNOBS.bitrate, complexity=KNOBS.complexity, sample_rate=RATE * OPUS_FACTOR)
    condition = Condition(
        speech=str(path), codec=codec, delay=Delay(), protection=Protection(), network=network, seed=SEED
    )
    lab = run(condition)[0].measures
    assert lab is not None
    real = measure(_call(network, speech, is_virtual), speech.speech)[0]
    cells = [label_of(network), f"{real.pesq:.2f}", f"{lab.pesq:.2f}"]
    for name in ("delay_ms", "delay_p95_ms"):
        cells += [f"{getattr(real, name):.0f}", f"{getattr(lab, name):.0f}"]
    sys.stdout.write(f"| {' | '.join(cells)} |\n")
    sys.stdout.flush()
    return _is_near(real, lab)


def _is_near(real: Measures, lab: Measures) -> bool:
    assert real.delay_ms is not None
    assert lab.delay_ms is not None
    return abs(real.pesq - lab.pesq) <= MOST_PESQ and abs(real.delay_ms - lab.delay_ms) <= MOST_MS


def _call(network: Network, speech: SpeechFile, is_virtual: bool) -> Recording:
    gc.collect()
    gc.freeze()  # a collection of what numpy and matplotlib have would be heard
    if not is_virtual:
        return trio.run(_call_on_loopback, network, speech)
    with deterministic(SEED):
        clock = trio.testing.MockClock(autojump_threshold=0)
        return trio.run(_call_in_memory, network, speech, clock=clock)


async def _call_on_loopback(network: Network, speech: SpeechFile) -> Recording:
    listener = Listener()
    with tempfile.TemporaryDirectory() as directory:
        async with (
            open_test_gateway(Path(directory), GATEWAY, [listener]) as gateway,
            open_exchange(gateway) as exchange,
        ):
            return await _speak(exchange, listener, network, speech)


async def _call_in_memory(network: Network, speech: SpeechFile) -> Recording:
    listener = Listener()
    with tempfile.TemporaryDirectory() as directory:
        async with open_memory_exchange(Path(directory), GATEWAY, [listener]) as exchange:
            return await _speak(exchange, listener, network, speech)


async def _speak(exchange: Exchange, listener: Listener, network: Network, speech: SpeechFile) -> Recording:
    caller = Caller(
        exchange.network.open_endpoint(),
        exchange.scheduler,
        Line(*carriers(network, SEED)),
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
