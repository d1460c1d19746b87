"""The speech that all callers send: encoded once, so that the callers' core has time for many of them."""

import itertools
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
from glottis.contracts.audio import EncodedPacket
from glottis.contracts.codec import CodecSpec, EncoderSettings
from glottis.plugins import load_plugins

SPEECH: Final = Path(__file__).parents[1] / "tests" / "vectors" / "audio" / "speech_16k.wav"
SAMPLE_RATE: Final = 48000
"""Of the callers."""
FRAME_MS: Final = 20
FRAME_BYTES: Final = SAMPLE_RATE * FRAME_MS // 1000 * 2
FRAMES_PER_SECOND: Final = 1000 // FRAME_MS
COMPLEXITY: Final = 5
"""Where nothing else is said: the gateway's default."""


def encoder_settings(sample_rate: int = SAMPLE_RATE, complexity: int = COMPLEXITY) -> EncoderSettings:
    """As the gateway negotiates it with the callers, and with browsers."""
    return EncoderSettings(
        sample_rate=sample_rate,
        frame_ms=FRAME_MS,
        complexity=complexity,
        remote_parameters={"minptime": "10", "useinbandfec": "1"},
    )


def opus() -> CodecSpec:
    """The installed Opus codec."""
    return load_plugins().codecs.find("opus").spec


def speech_packets() -> list[bytes]:
    """The speech as Opus packets of 20 ms, some seconds of them."""
    encoder = opus().create_encoder(encoder_settings())
    pcm = _speech_pcm()
    whole = len(pcm) - len(pcm) % FRAME_BYTES
    return [encoder.encode(pcm[start : start + FRAME_BYTES]) for start in range(0, whole, FRAME_BYTES)]


def endless(payloads: list[bytes]) -> Iterator[EncodedPacket]:
    """The packets over and over, as one stream."""
    duration = SAMPLE_RATE * FRAME_MS // 1000
    for number, payload in enumerate(itertools.cycle(payloads)):
        yield EncodedPacket(payload, "opus", SAMPLE_RATE, number * duration & 0xFFFFFFFF, duration)


def _speech_pcm() -> bytes:
    """Resampled by padding the spectrum: slow, and as good as can be."""
    with wave.open(str(SPEECH), "rb") as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16)
        factor = SAMPLE_RATE // file.getframerate()
    spectrum = np.fft.rfft(samples)
    longer = np.fft.irfft(spectrum * factor, len(samples) * factor)
    return np.clip(longer, -32768, 32767).astype(np.int16).tobytes()
