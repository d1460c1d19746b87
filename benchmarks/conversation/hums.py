"""What callers utter while the agent speaks, without wanting to interrupt it, and short words that do want to."""

import math
import random
import tempfile
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import trio
import trio.testing
from glottis import AudioFrame
from glottis.audio import from_floats, level_dbfs
from glottis.testing.fake_call import FakeCall, fake_call
from glottis_conversation import ConversationConfig, conversation

from benchmarks.conversation.network import Line
from benchmarks.conversation.understanding import PAUSE, settings_of, without_threads
from benchmarks.conversation.voices import RATE, SILENT_DBFS, trimmed, uttered

REQUEST: Final = "What can you do?"
"""The answer is long."""
SECONDS: Final = 6
"""For which the agent is listened to."""
STEP: Final = RATE // 50
_ESPEAK: Final = ("en-us", "en-gb", "en-us+m3", "en-us+f2")


@dataclass(frozen=True, slots=True)
class Sound:
    """What a caller utters, and whether that is to interrupt."""

    name: str
    pcm: bytes
    interrupts: bool


@dataclass(frozen=True, slots=True)
class Effect:
    """Of a sound on the agent."""

    sound: Sound
    was_interrupted: bool
    silence: float
    """Seconds for which it was silent in the middle of what it said, at the longest."""


def sounds() -> Iterator[Sound]:
    """Hums of espeak-ng, which alone can, coughs of noise, and short words."""
    for voice in _ESPEAK:
        speaker = ("espeak-ng", "-s", "140", "-v", voice)
        yield Sound(f"mm-hm ({voice})", uttered("[[mm_h@-m:]]", speaker), interrupts=False)
        yield Sound(f"hm ({voice})", uttered("[[hm:]]", speaker), interrupts=False)
        yield Sound(f"okay ({voice})", uttered("Okay.", speaker), interrupts=False)
        yield Sound(f"stop ({voice})", uttered("Stop!", speaker), interrupts=True)
        yield Sound(f"no, wait ({voice})", uttered("No, wait.", speaker), interrupts=True)
    for seconds in (0.1, 0.2, 0.35):
        yield Sound(f"cough ({seconds:g} s)", cough(seconds), interrupts=False)


def cough(seconds: float) -> bytes:
    """A burst of noise, loud at once and fading, and after a pause a softer one: as two coughs are."""
    chance = random.Random(1)
    count = round(seconds * RATE)
    burst = [0.6 * chance.uniform(-1, 1) * math.exp(-4 * at / count) for at in range(count)]
    pause = [0.0] * (RATE // 10)
    return from_floats(array("d", [*burst, *pause, *(0.5 * each for each in burst)]), RATE).pcm


def effects() -> Iterator[Effect]:
    """Of each sound, in a call of its own."""
    request = uttered(REQUEST, ("flite", "-voice", "slt", "-t"))
    with tempfile.TemporaryDirectory() as folder, without_threads():
        config = settings_of(Path(folder))
        for sound in sounds():
            clock = trio.testing.MockClock(autojump_threshold=0)
            yield trio.run(_utter, config, trimmed(request), sound, clock=clock)


async def _utter(config: ConversationConfig, request: bytes, sound: Sound) -> Effect:
    line = Line(0.0, 1)
    async with fake_call(conversation(config)) as call:
        await call.caller_speaks(line.carry(PAUSE + request))
        while not call.is_speaking:
            await call.caller_speaks(line.carry(bytes(2 * STEP)))
        await call.caller_speaks(line.carry(PAUSE))
        silence = await _longest_silence(call, line, trimmed(sound.pcm))
        told = [data for name, data in call.sent_events if name == "transcript" and data["role"] == "agent"]
        return Effect(sound, any(data.get("interrupted") for data in told), silence)


async def _longest_silence(call: FakeCall, line: Line, pcm: bytes) -> float:
    """Of the agent, before it goes on."""
    longest = silent = 0.0
    heard = len(call.heard_pcm)
    pcm = pcm.ljust(SECONDS * 2 * RATE, b"\0")
    for at in range(0, len(pcm), 2 * STEP):
        await call.caller_speaks(line.carry(pcm[at : at + 2 * STEP]))
        said = call.heard_pcm[heard:]
        heard += len(said)
        if said and level_dbfs(AudioFrame(said, call.sample_rate)) > SILENT_DBFS:
            longest, silent = max(longest, silent), 0.0
        else:
            silent += STEP / RATE
    return longest


def report(effect: Effect) -> str:
    """In a line."""
    did = "interrupted" if effect.was_interrupted else f"agent went on after {effect.silence:.2f} s"
    return f"  {effect.sound.name}: {did}" + ("" if effect.was_interrupted == effect.sound.interrupts else ", wrongly")
