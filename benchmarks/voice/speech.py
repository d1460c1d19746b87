"""What is said: recorded speech of four speakers in four languages, from Debian's prompts for Asterisk.

``python -m benchmarks.voice.speech speech.wav`` writes it as a file, for the studies of docs/lab.md.
"""

import sys
from pathlib import Path
from typing import Final

import numpy as np
from glottis import AudioFrame
from glottis.audio import write_wav
from glottis.lab.samples import LEVEL, RATE, Samples, to_samples
from glottis.lab.speech import Speech
from glottis.plugins import load_plugins
from numpy.typing import NDArray

PASSAGE_SECONDS: Final = 8.0
"""Of each speaker: as long as P.862.3 recommends."""
PAUSE_SECONDS: Final = 0.5
"""Of silence at the end of each passage."""
SOUNDS: Final = Path("/usr/share/asterisk/sounds")
SPEAKERS: Final = ("en_US_f_Allison", "it_IT_m_Carlo", "fr_CA_f_June", "ru_RU_f_IvrvoiceRU")
PROMPT: Final = "demo-congrats.g722"

_PAYLOAD_BYTES: Final = 160
"""20 ms of G.722."""
_QUIET: Final = 0.02
"""Of the loudest frame: less is a pause."""


def recorded_speech() -> Speech:
    """All speakers, one after the other. Raises ``FileNotFoundError`` where the prompts are not installed."""
    pieces = [_passage(SOUNDS / speaker / PROMPT) for speaker in SPEAKERS]
    ends = np.cumsum([len(piece) for piece in pieces])
    passages = tuple((int(end) - len(piece), int(end)) for end, piece in zip(ends, pieces, strict=True))
    return Speech(np.concatenate(pieces), passages)


def _passage(path: Path) -> Samples:
    decoder = load_plugins().codecs.find("G722").spec.create_decoder(RATE)
    data = path.read_bytes()
    pcm = b"".join(
        decoder.decode(data[start : start + _PAYLOAD_BYTES])
        for start in range(0, len(data) - _PAYLOAD_BYTES, _PAYLOAD_BYTES)
    )
    spoken = _from_first_word(np.frombuffer(pcm, np.int16).astype(np.float64))
    spoken = spoken[: round((PASSAGE_SECONDS - PAUSE_SECONDS) * RATE)]
    scaled = spoken * LEVEL * 32768 / np.sqrt(np.mean(spoken**2))
    pause = np.zeros(round(PASSAGE_SECONDS * RATE) - len(spoken))
    return to_samples(np.concatenate([scaled, pause]))


def _from_first_word(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """With 0.2 s before it."""
    frame = RATE // 100
    levels = np.abs(samples[: len(samples) // frame * frame]).reshape(-1, frame).max(axis=1)
    first = int(np.argmax(levels > _QUIET * levels.max())) * frame
    return samples[max(0, first - RATE // 5) :]


if __name__ == "__main__":
    write_wav(sys.argv[1], AudioFrame(recorded_speech().samples.tobytes(), RATE))
