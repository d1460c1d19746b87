"""One call with glottis on virtual time: a real gateway with its echo agent, in memory, and a caller."""

import importlib
import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from unittest.mock import patch

import trio
import trio.testing
from glottis.lab.speech import Speech
from glottis.plugins import load_plugins
from glottis.signaling.messages import Answer, Error, Offer
from support.gateway import CONFIG
from support.memory import open_memory_exchange
from support.phone import Phone, eventually

from benchmarks.voice.caller import Caller, Recording
from benchmarks.voice.line import Line
from benchmarks.voice.networks import Case

RELAYING: Final = CONFIG.replace('agent = "echo"', 'agent = "echo"\nsettings = { encoded = true }')


def call_gateway(case: Case, seed: int, speech: Speech, *, relays: bool = False) -> Recording:
    """Half a minute of speech in a few seconds. The same seed gives the same packets of media.

    Where the gateway ``relays`` packets it decodes none, and what is lost on their way to it stays lost.
    """
    with deterministic(seed):
        return trio.run(_call, case, seed, speech, relays, clock=trio.testing.MockClock(autojump_threshold=0))


async def _call(case: Case, seed: int, speech: Speech, relays: bool) -> Recording:
    config = (RELAYING if relays else CONFIG).replace('agent = "echo"', f'agent = "echo"\nframe_ms = {case.frame_ms}')
    with tempfile.TemporaryDirectory() as directory:
        async with open_memory_exchange(Path(directory), config) as exchange, trio.open_nursery() as nursery:
            caller = Caller(
                exchange.network.open_endpoint(),
                exchange.scheduler,
                Line(*case.carriers(seed)),
                load_plugins().codecs.find(case.codec).spec,
                speech,
                rng=random.Random(f"{seed} caller"),
                clock_rate=case.clock_rate,
                frame_seconds=case.frame_ms / 1000,
                red=case.red,
            )
            nursery.start_soon(caller.run)
            phone = exchange.phone()
            await phone.create()
            await phone.open_socket()
            await caller.connect(lambda offer: answer_to(phone, offer))
            recording = await caller.speak()
            caller.hang_up()
            nursery.cancel_scope.cancel()
    return recording


async def answer_to(phone: Phone, offer: str) -> str:
    """The phone is there for its signaling alone."""
    socket = phone.socket
    await socket.send(Offer(offer))
    await eventually(lambda: socket.of_type(Answer) or socket.of_type(Error))
    assert not socket.of_type(Error), socket.of_type(Error)
    answer: Answer = socket.of_type(Answer)[-1]
    return answer.sdp


@contextmanager
def deterministic(seed: int) -> Iterator[None]:
    """What would be random is the seed's: the gateway's numbers, and in which order trio runs tasks that are ready.

    Trio itself does so for Hypothesis, and has no public name for it.
    """
    run = importlib.import_module("trio._core._run")
    run._r.seed(seed)
    with (
        patch.object(run, "_ALLOW_DETERMINISTIC_SCHEDULING", True),
        patch("random.SystemRandom", lambda: random.Random(f"{seed} gateway")),
    ):
        yield
