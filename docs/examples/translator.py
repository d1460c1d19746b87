"""Translates sentence by sentence. The translation is a stub, to be replaced: it says each sentence backwards."""

from array import array

import trio
from glottis import AudioFrame, Call

QUIET = 500  # the mean of a frame's samples, without their signs
PAUSE = 25  # frames of 20 ms


def translate(sentence: AudioFrame) -> tuple[str, AudioFrame]:
    """Stands for recognition, translation and synthesis, which take their time."""
    backwards = array("h", sentence.samples[::-1].tolist())
    return f"{sentence.duration:.1f} seconds", AudioFrame(backwards.tobytes(), sentence.sample_rate)


async def translator(call: Call) -> None:
    """The agent."""
    sentence: list[bytes] = []
    quiet = 0
    async for frame in call.audio:
        quiet = quiet + 1 if sum(map(abs, frame.samples)) < QUIET * frame.sample_count else 0
        if not quiet or sentence:
            sentence.append(frame.pcm)
        if sentence and quiet == PAUSE:
            call.nursery.start_soon(interpret, call, AudioFrame(b"".join(sentence[:-PAUSE]), call.sample_rate))
            sentence = []


async def interpret(call: Call, sentence: AudioFrame) -> None:
    """Translate in a thread, while the caller may already say the next sentence."""
    text, speech = await trio.to_thread.run_sync(translate, sentence)
    await call.send_event("transcript", {"role": "agent", "text": text, "final": True})
    await call.say(speech)
