"""G.722 against the test streams of libg722, bit by bit."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from glottis import EncoderSettings
from glottis_spandsp import G722, payload_duration_untrusted

VECTORS = Path(__file__).parents[3] / "tests" / "vectors" / "audio" / "g722"
FRAME_BYTES = 120  # divides both streams' lengths but for a rest; 15 ms

TEST_AT_16K = "a886f22d37ecd356e1963072bc481ed2c5dd12539428188d9779d33a520f3ff8"
TEST_AT_8K = "8eb29e8e9feb9709d96c7bbda37cbb2f77510fcfab2d1f48a495178cd2231253"
PCMINB_ENCODED = "fc0abeb220fc66fc7d5429758dff26b56bdc9e2d64ce701a5b2489ba3a2fb877"
PCMINB_DECODED = "6f80f1635a58a9352b1a31357f6f3feea4459953df34d6d275167f4c3e8cc967"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def decoded(stream: bytes, sample_rate: int) -> bytes:
    decoder = G722.create_decoder(sample_rate)
    return b"".join(decoder.decode(stream[i : i + FRAME_BYTES]) for i in range(0, len(stream), FRAME_BYTES))


def encoded(samples: bytes) -> bytes:
    """All samples, the last frame padded with silence and cut again (the coder looks at nothing ahead)."""
    encoder = G722.create_encoder(EncoderSettings(16000))
    frames = [samples[i : i + 640].ljust(640, b"\0") for i in range(0, len(samples), 640)]
    return b"".join(map(encoder.encode, frames))[: len(samples) // 4]


@pytest.mark.parametrize(("sample_rate", "checksum"), [(16000, TEST_AT_16K), (8000, TEST_AT_8K)])
def test_known_stream_decodes_bit_exactly(sample_rate: int, checksum: str) -> None:
    assert sha256(decoded((VECTORS / "test.g722").read_bytes(), sample_rate)) == checksum


def test_known_samples_encode_and_decode_bit_exactly() -> None:
    samples = np.frombuffer((VECTORS / "pcminb.dat").read_bytes(), ">i2").astype(np.int16)
    stream = encoded(samples.tobytes())
    assert sha256(stream) == PCMINB_ENCODED
    heard = np.frombuffer(decoded(stream, 16000), np.int16)
    assert sha256(heard.astype(">i2").tobytes()) == PCMINB_DECODED


def test_rtp_clock_ticks_160_times_in_20_ms_although_there_are_320_samples() -> None:
    payload = G722.create_encoder(EncoderSettings(16000)).encode(bytes(640))
    assert (G722.clock_rate, payload_duration_untrusted(payload), len(payload)) == (8000, 160, 160)
