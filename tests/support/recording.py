"""Decodes what a browser's MediaRecorder has recorded, in whatever container that browser likes."""

import base64
import io

import av
import numpy as np

from support.audio import Samples

FULL_SCALE = 32767


def decode_recording(text: str, sample_rate: int) -> Samples:
    """Mono samples, scaled as signed 16-bit ones are, of a recording in base64."""
    resampler = av.AudioResampler(format="flt", layout="mono", rate=sample_rate)
    with av.open(io.BytesIO(base64.b64decode(text)), "r") as container:
        frames = [piece for frame in container.decode(audio=0) for piece in resampler.resample(frame)]
    return np.concatenate([frame.to_ndarray()[0] for frame in frames]).astype(np.float64) * FULL_SCALE


def loudness(samples: Samples) -> float:
    """The root mean square: a few units for silence, thousands for speech."""
    return float(np.sqrt(np.mean(samples**2)))
