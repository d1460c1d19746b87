"""The helpers of ``glottis.audio``, beside what the standard library and numpy make of the same."""

import io
import math
import random
import wave
from array import array
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from glottis import AudioFrame, Component
from glottis.audio import chunks, from_floats, joined, level_dbfs, mixed, read_wav, resampled, to_floats, write_wav
from glottis_spandsp.resampler import SpeexResampling

RATE = 16000


def frame(*samples: int, rate: int = RATE, timestamp: int = 0) -> AudioFrame:
    return AudioFrame(array("h", samples).tobytes(), rate, timestamp)


def noise(count: int) -> AudioFrame:
    rng = random.Random(count)
    return frame(*(rng.randrange(-32768, 32768) for _ in range(count)))


def wav(data: bytes, *, channels: int = 1, width: int = 2) -> io.BytesIO:
    file = io.BytesIO()
    with wave.open(file, "wb") as recording:
        recording.setnchannels(channels)
        recording.setsampwidth(width)
        recording.setframerate(RATE)
        recording.writeframes(data)
    file.seek(0)
    return file


def test_what_is_written_is_read_as_the_same(tmp_path: Path) -> None:
    speech, path = noise(12345), tmp_path / "speech.wav"
    write_wav(path, speech)
    assert read_wav(str(path)) == speech
    write_wav(str(path), chunks(speech))
    assert read_wav(path) == speech


def test_channels_become_their_mean() -> None:
    both = array("h", [100, 300, -32768, -32768, 32767, 32767])
    assert read_wav(wav(both.tobytes(), channels=2)) == frame(200, -32768, 32767)


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (io.BytesIO(b""), "expected a WAV file of PCM samples: it ends too early"),
        (io.BytesIO(b"OggS" + bytes(100)), "expected a WAV file of PCM samples: file does not start with RIFF id"),
        (wav(bytes(6), width=3), "expected samples of 16 bits, got 24: convert the file"),
    ],
)
def test_other_files_are_refused_by_what_they_are(file: io.BytesIO, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_wav(file)


def test_a_frame_is_cut_to_pieces_and_joined_again() -> None:
    whole = AudioFrame(noise(1000).pcm, RATE, 77)
    pieces = list(chunks(whole))
    assert [piece.sample_count for piece in pieces] == [320, 320, 320, 40]
    assert [piece.timestamp for piece in pieces] == [77, 397, 717, 1037]
    assert joined(pieces) == whole
    assert list(chunks(frame())) == []


def test_pieces_hold_a_sample_at_least() -> None:
    with pytest.raises(ValueError, match="at least one sample each, got 1e-05 s"):
        next(chunks(noise(10), 0.00001))


def test_a_mixture_is_as_long_as_the_longest_and_cut_off_at_full_scale() -> None:
    assert mixed(frame(1, 2, 30000, -30000), frame(10, 20, 30000, -30000, 5)) == frame(11, 22, 32767, -32768, 5)


def test_frames_of_several_rates_are_neither_joined_nor_mixed() -> None:
    others = [frame(1), frame(1, rate=8000)]
    with pytest.raises(ValueError, match="mixed: expected frames of one sample rate, got 8000 Hz, 16000 Hz: resample"):
        mixed(*others)
    with pytest.raises(ValueError, match="joined: expected frames of one sample rate, got none"):
        joined([])


def test_the_level_of_a_full_scale_square_wave_is_zero() -> None:
    assert level_dbfs(frame(*[-32768] * 320)) == 0
    assert level_dbfs(frame(*[0] * 320)) == level_dbfs(frame()) == -96
    sine = frame(*(round(32767 * math.sin(i / 5)) for i in range(10_000)))
    assert level_dbfs(sine) == pytest.approx(-3.01, abs=0.01)


def test_samples_survive_floating_point() -> None:
    speech = noise(5000)
    floats = np.asarray(to_floats(speech))
    assert floats.dtype == np.float32
    assert np.abs(floats).max() <= 1
    assert from_floats(floats, RATE) == speech
    assert from_floats(floats.astype(np.float64), RATE, 7).timestamp == 7
    assert from_floats(to_floats(speech), RATE) == speech


def test_floats_beyond_full_scale_are_cut_off() -> None:
    assert from_floats(array("f", [2.0, 1.0, -1.0, -5.0, math.inf]), RATE) == frame(32767, 32767, -32768, -32768, 32767)


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.zeros((2, 160), np.float32), r"in one row, of the format 'f' or 'd', got 'f' in the shape \(2, 160\)"),
        (np.zeros(160, np.int16), "of the format 'f' or 'd', got 'h'"),
        (array("f", [0.0, math.nan]), "got one that is not a number"),
        ([0.0], "expected a buffer of floats, got list"),
    ],
)
def test_what_is_no_row_of_floats_is_refused(samples: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        from_floats(samples, RATE)


def tone(rate: int, seconds: float = 0.5) -> AudioFrame:
    time = np.arange(round(seconds * rate)) / rate
    return AudioFrame((10000 * np.sin(2 * np.pi * 500 * time)).astype(np.int16).tobytes(), rate, rate)


@pytest.mark.parametrize("seconds", [0.4, 0.4567])
@pytest.mark.parametrize("rates", [(8000, 16000), (24000, 16000), (44100, 16000), (16000, 22050), (48000, 11025)])
def test_sound_is_the_same_at_another_rate(rates: tuple[int, int], seconds: float) -> None:
    heard = resampled(tone(rates[0], seconds), rates[1], SpeexResampling())
    assert (heard.sample_rate, heard.timestamp) == (rates[1], rates[1])
    assert heard.sample_count == round(round(seconds * rates[0]) * rates[1] / rates[0])
    settled = np.frombuffer(heard.pcm, np.int16)[rates[1] // 10 :].astype(float)
    turn = np.exp(-2j * np.pi * 500 * np.arange(len(settled)) / rates[1])
    component = 2 * np.vdot(turn.conj(), settled) / len(settled)
    assert abs(component) == pytest.approx(10000, rel=0.03)
    assert np.abs(settled - (component * turn.conj()).real).max() < 500


def test_rates_without_whole_samples_in_common_are_refused_and_the_same_rate_needs_nothing() -> None:
    with pytest.raises(ValueError, match="44101 and 48000 Hz have no whole samples in 200 ms"):
        resampled(tone(44101), 48000, SpeexResampling())
    frame = tone(8000)
    assert resampled(frame, 8000, SpeexResampling()) is frame


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: to_floats(b"\0\0"), "to_floats: expected AudioFrame, got bytes"),  # type: ignore[arg-type]
        (lambda: level_dbfs(b"\0\0"), "level_dbfs: expected AudioFrame, got bytes"),  # type: ignore[arg-type]
        (lambda: mixed(tone(RATE), b"\0\0"), "mixed: expected AudioFrame, got bytes"),  # type: ignore[arg-type]
        (lambda: joined([b"\0\0"]), "joined: expected AudioFrame, got bytes"),  # type: ignore[list-item]
        (lambda: list(chunks(tone(RATE), math.nan)), "chunks: expected at least one sample each, got nan s"),
        (lambda: list(chunks(tone(RATE), "1")), r"chunks: seconds: expected int \| float, got str"),  # type: ignore[arg-type]
        (
            lambda: resampled(tone(RATE), 8000, Component("speex")),  # type: ignore[arg-type]
            r"expected a Resampling, got Component\('speex'\), which can make\(\) one",
        ),
        (lambda: resampled(tone(RATE), 8000, None), "resampled: expected a Resampling, got NoneType"),  # type: ignore[arg-type]
    ],
)
def test_what_is_not_to_be_had_is_told_with_what_is(wrong: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        wrong()
