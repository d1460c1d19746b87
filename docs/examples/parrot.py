"""Repeats each sentence once the caller has paused, and is quiet when the caller speaks again."""

from glottis import AudioFrame, Call

LOUD = 500  # the mean of a frame's samples, without their signs
PAUSE = 0.5  # seconds


def is_loud(frame: AudioFrame) -> bool:
    """Whether somebody speaks in it: a detector of speech knows better."""
    samples = frame.samples.tolist()
    return sum(map(abs, samples)) > LOUD * len(samples)


async def parrot(call: Call) -> None:
    """The agent."""
    sentence: list[AudioFrame] = []
    silence = 0.0
    async for frame in call.audio:
        if is_loud(frame):
            call.flush()  # whoever speaks is listened to
            silence = 0.0
        elif not sentence:
            continue
        sentence.append(frame)
        silence += frame.duration
        if silence > PAUSE:
            pcm = b"".join(frame.pcm for frame in sentence)
            call.nursery.start_soon(call.say, AudioFrame(pcm, call.sample_rate))
            sentence = []
