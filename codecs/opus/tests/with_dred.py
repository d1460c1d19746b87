"""Deep redundancy by a libopus that has it, the one that ``OPUS_LIBRARY`` names: ``make libopus`` builds one."""

import random
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import pytest
from glottis import EncoderSettings
from glottis.contracts.codec import VIRTUAL_TIME
from glottis_opus import OPUS, OpusDecoder, OpusEncoder
from glottis_opus.deep_redundancy import DEEP, LONGEST
from glottis_opus.packet import CLOCK_RATE

Samples = npt.NDArray[np.int16]
RATE = 16000
FRAME = 320
BURST = 3


@pytest.fixture
def packets(speech: Callable[[int], Samples], frames: Callable[[Samples, int], Iterator[bytes]]) -> list[bytes]:
    assert DEEP is not None, "OPUS_LIBRARY names no libopus with deep redundancy"
    settings = EncoderSettings(RATE, bitrate=36_700, complexity=7, in_band_fec=False, expected_loss=0.1, dred_ms=100)
    encoder = OpusEncoder(settings)
    return [encoder.encode(frame) for frame in frames(speech(RATE), FRAME)]


def test_packets_reach_back_as_far_as_was_asked(packets: list[bytes]) -> None:
    reaches = [1000 * OPUS.redundancy_reach(packet) // CLOCK_RATE for packet in packets]
    assert sum(reach >= 80 for reach in reaches) > 0.8 * len(reaches)


def test_a_burst_sounds_more_like_what_was_said_than_what_is_invented(
    packets: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the energy of each 5 ms: by wave form, copies are not like what was said."""
    monkeypatch.setenv(VIRTUAL_TIME, "1")
    clean, inventing, knowing = OpusDecoder(RATE), OpusDecoder(RATE), OpusDecoder(RATE)
    said, invented, known = [], [], []
    for index in range(0, len(packets) - 10, 10):
        for packet in packets[index : index + 10 - BURST]:
            for listening in (clean, inventing, knowing):
                listening.decode(packet)
        lost, following = packets[index + 10 - BURST : index + 10], packets[index + 10]
        said.append(b"".join(map(clean.decode, lost)))
        invented.append(inventing.conceal(BURST * FRAME))
        known.append(knowing.decode_fec(following, BURST * FRAME))
    assert 1 - alike(said, known) < (1 - alike(said, invented)) / 4


def alike(some: list[bytes], others: list[bytes]) -> float:
    """The correlation of their loudness, from -1 to 1."""
    one, other = (loudness(b"".join(pieces)) for pieces in (some, others))
    return float(np.corrcoef(one, other)[0, 1])


def loudness(pcm: bytes) -> npt.NDArray[np.float64]:
    pieces = np.frombuffer(pcm, np.int16).astype(np.float64).reshape(-1, RATE // 200)
    energies: npt.NDArray[np.float64] = np.log10((pieces**2).mean(axis=1) + 100)
    return energies


def test_fuzz_reach(packets: list[bytes]) -> None:
    """``redundancy_reach`` and ``decode_fec`` raise nothing, whatever the bytes are."""
    rng, listening = random.Random(1), OpusDecoder(RATE)
    for _ in range(20_000):
        mutant = bytearray(rng.choice(packets))
        for _ in range(rng.randrange(4)):
            mutant[rng.randrange(len(mutant))] = rng.randrange(256)
        payload = bytes(mutant[: rng.choice([len(mutant), rng.randrange(len(mutant) + 1)])])
        assert 0 <= OPUS.redundancy_reach(payload) <= LONGEST
        assert len(listening.decode_fec(payload, BURST * FRAME)) == 2 * BURST * FRAME
