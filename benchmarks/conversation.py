"""``python -m benchmarks.conversation``: speaks to the parts of ``glottis-local-speech``, and tells how well they did.

A call without a network, in real time: the caller's sentences are made by the voice itself, at the call's 16 kHz, and
the agent says back what it has understood. ``--interrupt`` also speaks while it does. Needs the extra ``parts``.
"""

import argparse
import statistics
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import trio
from glottis import ComponentSpec, PluginError, Resampling, hookimpl
from glottis.audio import joined, resampled
from glottis.config.components import typed_settings
from glottis.plugins import Registry, load_plugins
from glottis.testing.fake_call import FakeCall, fake_call
from glottis_conversation import ConversationConfig, LanguageModel, Message, TextToSpeech, Tool, conversation
from glottis_conversation.sentences import words_of

RATE = 16000
SENTENCES = (
    "What time is it?",
    "Please tell me when you are open on Saturday.",
    "I would like to book a table for four people.",
    "My name is Alice Johnson.",
    "Can you repeat that more slowly?",
    "Thank you very much, goodbye.",
)


class Repeating:
    """The ``LanguageModel`` that says what it was told."""

    async def reply(self, history: Sequence[Message], tools: Sequence[Tool]) -> AsyncIterator[str]:
        """At once."""
        yield f"You said: {history[-1].text}"


async def voiced(text: str, voice: TextToSpeech, resampling: Resampling) -> bytes:
    """A sentence as the caller says it."""
    frames = [frame async for frame in voice.synthesize(text)]
    return resampled(joined(frames), RATE, resampling).pcm


async def heard_until(call: FakeCall, name: str, count: int) -> Mapping[str, Any]:
    """The event of this name and number, while the caller says nothing."""
    while len(found := [data for told, data in call.sent_events if told == name]) < count:
        await call.caller_speaks(bytes(2 * RATE // 50))
    return found[count - 1]


async def silence_of(call: FakeCall) -> None:
    """Until the agent has nothing more to say."""
    while call.is_speaking:
        await call.caller_speaks(bytes(2 * RATE // 50))
    await call.caller_speaks(bytes(2 * RATE // 2))


async def barge_in(call: FakeCall, pcm: bytes) -> float:
    """Seconds for which the agent speaks on while the caller does."""
    seconds = 0.0
    async with trio.open_nursery() as nursery:
        nursery.start_soon(call.caller_speaks, pcm)
        began = time.perf_counter()
        while call.is_speaking:
            await trio.sleep(0.005)
            seconds = time.perf_counter() - began
    return seconds


async def converse(config: ConversationConfig, interrupts: bool) -> None:
    """All sentences, one after the other, and a table."""
    assert config.tts is not None
    voice, resampling = config.tts.make(), config.resampling.make()
    spoken = [await voiced(text, voice, resampling) for text in SENTENCES]
    latencies: list[int] = []
    async with fake_call(conversation(config)) as call:
        for number, (text, pcm) in enumerate(zip(SENTENCES, spoken, strict=True), start=1):
            await call.caller_speaks(pcm)
            turn = await heard_until(call, "turn", number)
            latencies.append(turn["latencyMs"])
            [*_, understood] = [
                data["text"] for name, data in call.sent_events if name == "transcript" and data["role"] == "user"
            ]
            verdict = "ok" if words_of(understood) == words_of(text) else "DIFFERS"
            print(f"{turn['latencyMs']:5d} ms {turn['parts']}  {verdict:8}{understood!r}", flush=True)
            if interrupts and number == 3:
                await trio.sleep(0.5)
                print(f"silent {1000 * await barge_in(call, spoken[0]):.0f} ms after the caller's first sample")
                return
            await silence_of(call)
    print(f"p50 {statistics.median(latencies):.0f} ms, largest {max(latencies)} ms")


def settings_of(registry: Registry, vad: str) -> ConversationConfig:
    """The parts, as a configuration names them."""
    found = registry.agents.find("conversation")
    given = {"llm": "repeating", "stt": "moonshine", "tts": "hibari", "vad": vad, "idle_prompts": []}
    config = typed_settings(registry, found, given, "settings")
    assert isinstance(config, ConversationConfig)
    return config


class Repeats:
    """A plugin with the model."""

    @hookimpl
    def register_components(self) -> list[ComponentSpec[LanguageModel]]:
        """See ``glottis.ComponentSpec``."""
        return [ComponentSpec(LanguageModel, "repeating", lambda settings: Repeating())]


def main() -> None:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vad", default="silero", help="the detector of voice activity (%(default)s)")
    parser.add_argument("--interrupt", action="store_true", help="interrupt the third answer, and stop there")
    options = parser.parse_args()
    try:
        trio.run(converse, settings_of(load_plugins([Repeats()]), options.vad), options.interrupt)
    except PluginError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
