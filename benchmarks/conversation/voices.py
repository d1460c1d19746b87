"""Callers' voices, none of which the parts were made with: flite's, espeak-ng's, and recordings."""

import subprocess
import tempfile
from collections import deque
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Final

from glottis import AudioFrame, Resampling
from glottis.audio import chunks, joined, level_dbfs, read_wav, resampled
from glottis.plugins import load_plugins

from benchmarks.conversation.requests import CALLS, Request

RATE: Final = 16000
Voices = Sequence[tuple[str, ...]]
SILENT_DBFS: Final = -45.0
VOICES: Final = (
    ("flite", "-voice", "slt", "-t"),
    ("espeak-ng", "-s", "150", "-v", "en-us"),
    ("flite", "-voice", "rms", "-t"),
    ("flite", "-voice", "awb", "-t"),
    ("espeak-ng", "-s", "150", "-v", "en-gb"),
    ("flite", "-voice", "kal16", "-t"),
)
"""Commands that speak a text; flite writes to ``-o``, espeak-ng to ``-w``."""
OTHERS: Final = (
    ("flite", "-voice", "kal", "-t"),
    ("espeak-ng", "-s", "150", "-v", "en-us+f3"),
    ("espeak-ng", "-s", "150", "-v", "en-gb-scotland"),
    ("flite", "-voice", "slt", "--setf", "duration_stretch=1.15", "-t"),
    ("espeak-ng", "-s", "150", "-v", "en-gb-x-rp+f2"),
    ("flite", "-voice", "rms", "--setf", "duration_stretch=0.9", "-t"),
)
"""Of which nothing was looked at while the rules were made."""
_VECTORS: Final = Path(__file__).parents[2] / "tests" / "vectors" / "audio"
_SOUNDS: Final = Path("/usr/share/asterisk/sounds")


def voice_of(number: int, voices: Voices = VOICES) -> tuple[str, ...]:
    """Of the request of this number: one after the other."""
    return voices[number % len(voices)]


def all_spoken(first: int = 0, voices: Voices = VOICES) -> list[list[tuple[Request, bytes]]]:
    """Each call's requests with their samples at ``RATE``; the first one by the ``first`` voice."""
    numbers = count(first)
    return [[(request, spoken(request, voice_of(next(numbers), voices))) for request in call] for call in CALLS]


def spoken(request: Request, voice: tuple[str, ...]) -> bytes:
    """Samples of one request; those whose recording is not installed are spoken by a voice."""
    recording = _recorded(request.recording) if request.recording else None
    if recording is None:
        return uttered(request.text, voice)
    return recording.pcm if recording.sample_rate == RATE else _at_rate(recording).pcm


def uttered(text: str, voice: tuple[str, ...]) -> bytes:
    """Samples at ``RATE``."""
    frame = _synthesized(text, voice)
    return frame.pcm if frame.sample_rate == RATE else _at_rate(frame).pcm


def trimmed(pcm: bytes) -> bytes:
    """From the first sound to the end of the last word: voices add silence at both ends."""
    frames = deque(chunks(AudioFrame(pcm, RATE)))
    while frames and level_dbfs(frames[-1]) < SILENT_DBFS:
        frames.pop()
    while frames and level_dbfs(frames[0]) < SILENT_DBFS:
        frames.popleft()
    return joined(list(frames)).pcm


def _recorded(name: str) -> AudioFrame | None:
    path = next((path for path in (_VECTORS / name, _SOUNDS / name) if path.exists()), None)
    if path is None:
        return None
    if path.suffix == ".wav":
        return read_wav(str(path))
    decoder = load_plugins().codecs.find("g722").spec.create_decoder(RATE)
    data = path.read_bytes()
    return AudioFrame(b"".join(decoder.decode(data[at : at + 160]) for at in range(0, len(data), 160)), RATE)


def _synthesized(text: str, voice: tuple[str, ...]) -> AudioFrame:
    with tempfile.TemporaryDirectory() as directory:
        path = f"{directory}/speech.wav"
        output = "-o" if voice[0] == "flite" else "-w"
        command = [voice[0], output, path, *voice[1:], text]
        subprocess.run(command, check=True, capture_output=True)
        return read_wav(path)


def _at_rate(frame: AudioFrame) -> AudioFrame:
    resampling: Resampling = load_plugins().components_of(Resampling).find("speex").spec.create(None)
    whole = 2 * (frame.sample_count // 441 * 441) if frame.sample_rate == 22050 else len(frame.pcm)
    return resampled(AudioFrame(frame.pcm[:whole], frame.sample_rate), RATE, resampling)
