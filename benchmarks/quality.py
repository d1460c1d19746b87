"""What complexity is worth: PESQ of speech that Opus has carried at each, beside what it costs.

Run with ``python -m benchmarks.quality [FILE.wav …]``; without files, with the synthetic speech of the tests. Files are
mono, 16 bit, 16 kHz, some seconds of one voice each. Needs the dependency group ``voice`` of ``pyproject.toml``.
PESQ (ITU-T P.862.2, wideband) is 1.0 to 4.6; of a file it is the whole's, and of several the mean.
"""

import argparse
import time
import wave
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Final

import numpy as np
from glottis.contracts.codec import EncoderKnobs, EncoderSettings
from pesq import pesq

from benchmarks.speech import SPEECH, opus

SAMPLE_RATE: Final = 16000
FRAME_MS: Final = 20
FRAME_BYTES: Final = SAMPLE_RATE * FRAME_MS // 1000 * 2
COMPLEXITIES: Final = (0, 1, 2, 3, 5, 6, 7, 9)
DEFAULT: Final = EncoderKnobs().complexity
SETTINGS: Final = EncoderSettings(
    sample_rate=SAMPLE_RATE, frame_ms=FRAME_MS, remote_parameters={"minptime": "10", "useinbandfec": "1"}
)
"""As the gateway negotiates it with browsers; the bitrate is the codec's own choice for this rate, 24 kbit/s."""
EXPECTED_LOSS: Final = 0.1
"""At which in-band FEC takes its part of the bitrate."""


def main() -> None:
    """Print a line for each complexity."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality")
    parser.add_argument("files", nargs="*", type=Path, default=[SPEECH])
    recordings = [_pcm(path) for path in parser.parse_args().files]
    print(f"{len(recordings)} files, {sum(map(len, recordings)) / 2 / SAMPLE_RATE:.0f} s")
    print("complexity   PESQ-WB   with FEC   kbit/s   ms per call-second")
    for complexity in COMPLEXITIES:
        settings = replace(SETTINGS, complexity=complexity)
        plain = [_carry(pcm, settings) for pcm in recordings]
        protected = [_carry(pcm, replace(settings, expected_loss=EXPECTED_LOSS)) for pcm in recordings]
        scores = [
            mean(_score(sent, heard) for sent, (heard, *_) in zip(recordings, carried, strict=True))
            for carried in (plain, protected)
        ]
        seconds = sum(map(len, recordings)) / 2 / SAMPLE_RATE
        kilobits = sum(size for _, size, _ in plain) * 8 / 1000 / seconds
        cost = sum(took for _, _, took in plain) * 1000 / seconds
        default = " (default)" if complexity == DEFAULT else ""
        print(f"{complexity:10}{scores[0]:10.2f}{scores[1]:11.2f}{kilobits:9.1f}{cost:21.1f}{default}", flush=True)


def _carry(pcm: bytes, settings: EncoderSettings) -> tuple[bytes, int, float]:
    """What is heard of it on a clean line, the bytes of all packets, and the CPU seconds to encode them."""
    encoder, decoder = opus().create_encoder(settings), opus().create_decoder(SAMPLE_RATE)
    frames = [pcm[start : start + FRAME_BYTES] for start in range(0, len(pcm) - FRAME_BYTES + 1, FRAME_BYTES)]
    began = time.thread_time()
    packets = [encoder.encode(frame) for frame in frames]
    took = time.thread_time() - began
    return b"".join(map(decoder.decode, packets)), sum(map(len, packets)), took


def _score(sent: bytes, heard: bytes) -> float:
    reference, degraded = (np.frombuffer(pcm, np.int16) for pcm in (sent, heard))
    return float(pesq(SAMPLE_RATE, reference, degraded, "wb"))


def _pcm(path: Path) -> bytes:
    with wave.open(str(path), "rb") as file:
        if (file.getnchannels(), file.getsampwidth(), file.getframerate()) != (1, 2, SAMPLE_RATE):
            raise SystemExit(f"{path}: expected mono, 16 bit, {SAMPLE_RATE} Hz")
        return file.readframes(file.getnframes())


if __name__ == "__main__":
    main()
