"""What of a caller's speech arrives: through Opus, and over a network that loses packets."""

import random
from typing import Final

import numpy as np
from glottis.contracts.codec import EncoderSettings

from benchmarks.conversation.voices import RATE
from benchmarks.speech import opus
from benchmarks.voice.receiver import Packet, play

FRAME: Final = RATE // 50


def transmitted(pcm: bytes, loss: float, seed: int) -> bytes:
    """What a listener hears who recovers what in-band FEC can, and conceals the rest."""
    codec = opus()
    settings = EncoderSettings(
        sample_rate=RATE, frame_ms=20, expected_loss=loss, remote_parameters={"minptime": "10", "useinbandfec": "1"}
    )
    encoder, rng = codec.create_encoder(settings), random.Random(seed)
    whole = pcm + bytes(-len(pcm) % (2 * FRAME)) + bytes(10 * 2 * FRAME)
    step = codec.clock_rate // 50
    packets = [
        Packet(number / 50, number, number * step, encoder.encode(whole[at : at + 2 * FRAME]))
        for number, at in enumerate(range(0, len(whole), 2 * FRAME))
    ]
    kept = [packet for packet in packets if packet.sequence == 0 or rng.random() >= loss]
    samples = play(kept, codec, 0.0, len(whole) / 2 / RATE).samples
    return np.asarray(samples, np.int16).tobytes()
