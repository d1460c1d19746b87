"""The rules of audio processors: functions of a frame, which are called in the media tick of a call."""

import inspect
from collections.abc import Callable, Sequence
from typing import Final

from glottis.contracts.audio import AudioFrame, FrameTap
from glottis.testing.rules.effort import FRAMES_AT_A_TIME, expect_nothing_kept, milliseconds_of_work
from glottis.testing.rules.rule import Broken, expect, rules_of
from glottis.testing.rules.signals import clipped, melody, noise, pieces, sample_count

MakeProcessors = Callable[[], Sequence[FrameTap]]
"""Those of one direction of a new call, each time."""

RATES: Final = (8000, 16000, 24000, 48000)
MOST_MILLISECONDS: Final = 1.0
"""For a frame of 20 ms, of all processors of a direction: all calls share a thread."""


def check_description(make: MakeProcessors) -> None:
    """Functions, that are not async."""
    for process in make():
        expect(callable(process), f"a processor is a function of a frame, not a {type(process).__name__}")
        expect(not inspect.iscoroutinefunction(process), "a processor is async: it is to be a plain function")


def check_length(make: MakeProcessors) -> None:
    """Of every rate, and of frames as long as packets may be."""
    for rate in RATES:
        for milliseconds in (20, 10, 60, 20):
            processors = make()
            for pcm in pieces(melody(rate, 240), sample_count(rate, milliseconds)):
                _processed(processors, AudioFrame(pcm, rate))


def check_any_sound(make: MakeProcessors) -> None:
    """Whatever is heard, and with gaps in time as a caller who sends nothing for a while makes them."""
    for rate in RATES:
        processors = make()
        timestamp = 0
        for sound in (bytes(rate), noise(rate), clipped(rate), melody(rate, 240), bytes(rate)):
            for pcm in pieces(sound, sample_count(rate, 20)):
                _processed(processors, AudioFrame(pcm, rate, timestamp))
                timestamp += sample_count(rate, 20)
            timestamp += 3600 * rate


def _processed(processors: Sequence[FrameTap], frame: AudioFrame) -> AudioFrame:
    for process in processors:
        result: object = process(frame)
        if not isinstance(result, AudioFrame):
            raise Broken(f"a processor returned {type(result).__name__}, expected an AudioFrame")
        wanted = f"{frame.sample_count} samples at {frame.sample_rate} Hz"
        got = f"{result.sample_count} at {result.sample_rate} Hz"
        expect(len(result.pcm) == len(frame.pcm) and result.sample_rate == frame.sample_rate, f"of {wanted} came {got}")
        frame = result
    return frame


def check_independence(make: MakeProcessors) -> None:
    """Two calls at a time, and one after the other."""
    frames, others = (
        [AudioFrame(pcm, 16000) for pcm in pieces(sound, 320)] for sound in (melody(16000, 240), noise(16000))
    )
    alone = make()
    wanted = [_processed(alone, frame).pcm for frame in frames]
    one, other = make(), make()
    got = []
    for frame, beside in zip(frames, others, strict=False):
        got.append(_processed(one, frame).pcm)
        _processed(other, beside)
    expect(got == wanted[: len(got)], "a call sounds different beside another, or after one: a state is shared")


def check_lateness(make: MakeProcessors) -> None:
    """They hold up all calls."""
    processors = make()
    frames = [AudioFrame(pcm, 48000) for pcm in pieces(melody(48000, 240), 960)]
    each = milliseconds_of_work(lambda: [_processed(processors, frame) for frame in frames]) / len(frames)
    expect(each <= MOST_MILLISECONDS, f"takes {each:.1f} ms for a frame, expected {MOST_MILLISECONDS:g} at most")


def check_leaks(make: MakeProcessors) -> None:
    """Calls come and go, and some last for long."""
    frame = AudioFrame(bytes(640), 16000)
    expect_nothing_kept(lambda: _processed(make(), frame), "each call")
    processors = make()
    sound = bytearray(melody(16000, 20 * FRAMES_AT_A_TIME))

    def go_on() -> None:
        for pcm in pieces(bytes(sound), 320):
            _processed(processors, AudioFrame(pcm, 16000))

    expect_nothing_kept(go_on, "a call that goes on")


PROCESSOR_RULES: Final = rules_of(
    "processor",
    ("description", "processors are plain functions", check_description),
    ("length", "a frame comes back as long as it was, at its rate", check_length),
    ("any-sound", "whatever is heard, nothing is raised", check_any_sound),
    ("independence", "two calls share no state", check_independence),
    ("lateness", "a frame takes little time", check_lateness),
    ("leaks", "calls that are over, and frames of those that go on, leave nothing behind", check_leaks),
)
