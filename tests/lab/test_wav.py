"""Speech of every kind of WAV file is the same speech; what is none is refused with what to change."""

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from glottis.contracts.errors import ConfigurationError
from glottis.lab.samples import RATE, Signal, at_length
from glottis.lab.speech import passages_of, read_speech
from glottis.lab.wav import read_wav
from numpy.typing import NDArray
from support.audio import SPEECH
from support.audio import read_wav as read_plain

TONE = 8000 * np.sin(2 * np.pi * 440 * np.arange(RATE * 3 // 2) / RATE)


def g711(code: int, inverted: int, offset: int) -> int:
    """ITU-T G.711, tables 1 and 2, on the scale of 16 bits: a sign, a segment, and a step in it."""
    code ^= inverted
    segment, step = code >> 4 & 7, code & 15
    if offset:  # µ-law
        size = (((step << 3) + 0x84) << segment) - 0x84
    else:
        size = ((step << 4) + 8) if not segment else ((step << 4) + 0x108) << segment - 1
    return size if bool(code & 0x80) != bool(offset) else -size


ALAW = [g711(code, 0x55, 0) for code in range(256)]
MULAW = [g711(code, 0xFF, 0x84) for code in range(256)]


def nearest(table: list[int], signal: Signal) -> NDArray[np.uint8]:
    codes: NDArray[np.intp] = np.abs(np.array(table) - signal[:, None]).argmin(axis=1)
    return codes.astype(np.uint8)


ENCODINGS: dict[tuple[int, int], Callable[[Signal], NDArray[Any]]] = {
    (1, 8): lambda signal: (signal / 256 + 128).round().astype("u1"),
    (1, 16): lambda signal: signal.round().astype("<i2"),
    (1, 24): lambda signal: (signal * 256).round().astype("<i4").view("u1").reshape(-1, 4)[:, :3],
    (1, 32): lambda signal: (signal * 65536).round().astype("<i4"),
    (3, 32): lambda signal: (signal / 32768).astype("<f4"),
    (3, 64): lambda signal: (signal / 32768).astype("<f8"),
    (1, 12): lambda signal: (signal / 16).round().astype("<i2") * 16,
    (6, 8): lambda signal: nearest(ALAW, signal),
    (7, 8): lambda signal: nearest(MULAW, signal),
}
COARSE = {(1, 8): 129, (1, 12): 16, (6, 8): 260, (7, 8): 260}
"""How far a sample may be from what it was, of 8000; else one."""


def wav(tag: int, bits: int, data: bytes, channels: int = 1, rate: int = RATE, *, extensible: bool = False) -> bytes:
    frame = channels * -(-bits // 8)
    form = struct.pack("<HHIIHH", 0xFFFE if extensible else tag, channels, rate, rate * frame, frame, bits)
    if extensible:
        form += struct.pack("<HHIH", 22, bits, 0, tag) + bytes(14)
    chunks = b"LIST" + struct.pack("<I", 3) + b"odd\0" + b"fmt " + struct.pack("<I", len(form)) + form
    chunks += b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def written(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "speech.wav"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("extensible", [False, True])
@pytest.mark.parametrize(("tag", "bits"), ENCODINGS)
def test_samples_of_every_width_are_read(tag: int, bits: int, extensible: bool, tmp_path: Path) -> None:
    data = ENCODINGS[tag, bits](TONE).tobytes()
    read = read_wav(written(tmp_path, wav(tag, bits, data, extensible=extensible)))
    assert np.abs(read.signal - TONE).max() <= COARSE.get((tag, bits), 1)


def test_channels_become_one(tmp_path: Path) -> None:
    both = np.stack([TONE, -TONE / 2], axis=1).round().astype("<i2").tobytes()
    read = read_wav(written(tmp_path, wav(1, 16, both, channels=2)))
    assert np.abs(read.signal - TONE / 4).max() <= 1


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 48000, 96000])
def test_speech_of_any_rate_is_as_long_and_in_its_place(rate: int, tmp_path: Path) -> None:
    count = round(1.5 * rate)
    tone = 8000 * np.sin(2 * np.pi * 440 * np.arange(count) / rate)
    read = read_speech(written(tmp_path, wav(1, 16, tone.round().astype("<i2").tobytes(), rate=rate)))
    expected: Signal = np.resize(TONE, len(read.speech.samples)) * (np.std(read.speech.samples) / np.std(TONE))
    middle = slice(RATE // 4, RATE)
    assert read.speech.seconds == pytest.approx(1.5, abs=1e-4)
    assert np.abs(read.speech.samples - expected)[middle].max() < 100
    assert len(read.at(48000)) == pytest.approx(72000, abs=3)


def test_speech_at_another_rate_loses_nothing_on_the_way_back() -> None:
    samples, rate = read_plain(SPEECH)
    assert rate == RATE
    assert np.abs(at_length(at_length(samples, 3 * len(samples)), len(samples)) - samples).max() < 1e-6


def test_a_file_of_a_stream_that_says_no_length_is_read_to_its_end(tmp_path: Path) -> None:
    data = ENCODINGS[1, 16](TONE).tobytes()
    whole = bytearray(wav(1, 16, data))
    struct.pack_into("<I", whole, len(whole) - len(data) - 4, 0xFFFFFFFF)
    assert len(read_wav(written(tmp_path, bytes(whole))).signal) == len(TONE)


def test_a_file_with_sizes_of_64_bits_ends_where_they_say(tmp_path: Path) -> None:
    """RF64, as recorders write it, with a chunk after the samples."""
    data = ENCODINGS[1, 16](TONE).tobytes()
    plain = bytearray(wav(1, 16, data) + b"LIST" + struct.pack("<I", 4000) + bytes(4000))
    struct.pack_into("<I", plain, len(plain) - 4008 - len(data) - 4, 0xFFFFFFFF)
    sizes = b"ds64" + struct.pack("<IQQQI", 28, len(plain) + 28, len(data), len(TONE), 0)
    read = read_wav(written(tmp_path, b"RF64" + b"\xff" * 4 + b"WAVE" + sizes + bytes(plain[12:])))
    assert len(read.signal) == len(TONE)
    assert not read.is_cut_off


def test_a_file_that_is_cut_off_is_read_as_far_as_it_goes_and_said(tmp_path: Path) -> None:
    data = ENCODINGS[1, 24](TONE).tobytes()
    read = read_speech(written(tmp_path, wav(1, 24, data)[:-10_000]))
    assert read.speech.seconds == pytest.approx(1.5 - 10_000 / 3 / RATE, abs=1e-3)
    assert "ends before its header says" in read.warnings[0]


BAD = {
    "is no WAV file": b"ID3\x04 an mp3",
    "ends before its samples": wav(1, 16, b"")[:44],
    "samples of 4 bits in format 17": wav(17, 4, bytes(64000)),
    "0 channels": wav(1, 16, bytes(64000), channels=0),
    "3 samples per second": wav(1, 16, bytes(64000), rate=3),
    "no numbers": wav(3, 32, np.full(RATE * 2, np.nan, "<f4").tobytes()),
    "lasts 0.00 s": wav(1, 16, b""),
    "lasts 0.50 s": wav(1, 16, bytes(RATE)),
}


@pytest.mark.parametrize("said", BAD)
def test_what_cannot_be_used_is_named_with_what_to_change(said: str, tmp_path: Path) -> None:
    path = written(tmp_path, BAD[said])
    with pytest.raises(ConfigurationError, match=said) as caught:
        read_speech(path)
    assert str(path) in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"none\.wav: cannot be read"):
        read_speech(tmp_path / "none.wav")


def test_silence_and_clipping_are_said(tmp_path: Path) -> None:
    assert "is silent" in read_speech(written(tmp_path, wav(1, 16, bytes(64000)))).warnings[0]
    clipped = np.clip(TONE * 20, -32768, 32767).astype("<i2").tobytes()
    assert "is clipped" in read_speech(written(tmp_path, wav(1, 16, clipped))).warnings[0]
    assert read_speech(SPEECH).warnings == ()


def test_long_speech_is_judged_in_passages_that_end_in_pauses() -> None:
    loud = np.random.default_rng(1).normal(0, 2000, 30 * RATE)
    pauses = [7.0, 15.5, 23.0]
    for pause in pauses:
        loud[round(pause * RATE) : round((pause + 0.3) * RATE)] = 0
    passages = passages_of(loud.astype(np.int16))
    assert (passages[0][0], passages[-1][1]) == (0, 30 * RATE)
    for (_, end), pause in zip(passages, pauses, strict=False):
        assert pause <= end / RATE <= pause + 0.3
