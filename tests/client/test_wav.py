"""What is spoken to a gateway, and what is kept of its answer."""

import struct
import wave
from pathlib import Path

import pytest
from glottis import AudioFrame
from glottis.client.wav import WavRecording, WavSpeech
from glottis.contracts.errors import LocalError

RATES = (8000, 16000)


def write_wav(
    path: Path, samples: list[int], *, sample_rate: int = 8000, channels: int = 1, sample_width: int = 2
) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(sample_width)
        file.setframerate(sample_rate)
        file.writeframes(b"".join(sample.to_bytes(sample_width, "little", signed=True) for sample in samples))


def frame(samples: list[int], timestamp: int) -> AudioFrame:
    return AudioFrame(struct.pack(f"{len(samples)}h", *samples), 8000, timestamp)


def read_samples(path: Path) -> list[int]:
    with wave.open(str(path), "rb") as file:
        return list(struct.unpack(f"{file.getnframes()}h", file.readframes(file.getnframes())))


def test_a_file_is_spoken_in_frames_of_20_ms_with_the_rest_at_the_end(tmp_path: Path) -> None:
    write_wav(tmp_path / "in.wav", list(range(400)))
    with WavSpeech(tmp_path / "in.wav", RATES) as speech:
        frames = list(speech.frames())
    assert [frame.sample_count for frame in frames] == [160, 160, 80]
    assert list(b"".join(frame.pcm for frame in frames)) == list(struct.pack("400h", *range(400)))
    assert frames[0].sample_rate == speech.sample_rate == 8000


def test_the_channels_of_a_stereo_file_are_mixed_without_overflow(tmp_path: Path) -> None:
    write_wav(tmp_path / "in.wav", [100, 300, 32767, 32767, -32768, -32768], channels=2)
    with WavSpeech(tmp_path / "in.wav", RATES) as speech:
        assert [list(frame.samples) for frame in speech.frames()] == [[200, 32767, -32768]]


def test_a_file_that_was_cut_off_is_spoken_as_far_as_it_goes(tmp_path: Path) -> None:
    write_wav(tmp_path / "in.wav", [1, 2] * 10, channels=2)
    content = (tmp_path / "in.wav").read_bytes()
    (tmp_path / "in.wav").write_bytes(content[:-3])
    with WavSpeech(tmp_path / "in.wav", RATES) as speech:
        assert sum(frame.sample_count for frame in speech.frames()) == 9


def test_another_rate_is_refused_with_those_that_are_accepted(tmp_path: Path) -> None:
    write_wav(tmp_path / "in.wav", [0], sample_rate=44100)
    with pytest.raises(LocalError, match=r"in\.wav: a sample rate of 44100 Hz cannot be spoken; .* 8000, 16000 Hz"):
        WavSpeech(tmp_path / "in.wav", RATES)


@pytest.mark.parametrize(("channels", "sample_width"), [(1, 1), (1, 3), (6, 2)])
def test_another_kind_of_samples_is_refused(tmp_path: Path, channels: int, sample_width: int) -> None:
    write_wav(tmp_path / "in.wav", [0] * channels, channels=channels, sample_width=sample_width)
    with pytest.raises(LocalError, match=f"found {sample_width * 8}-bit samples in {channels} channels"):
        WavSpeech(tmp_path / "in.wav", RATES)


@pytest.mark.parametrize("content", [b"", b"RIFF", b"ID3\x03 is not a WAV file at all"])
def test_what_is_no_wav_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "in.wav").write_bytes(content)
    with pytest.raises(LocalError, match=r"in\.wav: not a WAV file"):
        WavSpeech(tmp_path / "in.wav", RATES)


def test_a_file_that_is_not_there_is_said_not_to_be(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match=r"none\.wav: No such file"):
        WavSpeech(tmp_path / "none.wav", RATES)
    with pytest.raises(LocalError, match=r"out\.wav: No such file"):
        WavRecording(tmp_path / "none" / "out.wav", 8000)


def test_a_recording_is_a_valid_file_at_any_moment(tmp_path: Path) -> None:
    path = tmp_path / "out.wav"
    with WavRecording(path, 8000) as recording:
        assert read_samples(path) == []
        recording.write(frame([1, 2], 160))
        assert read_samples(path) == [1, 2]
        recording.write(frame([3], 162))
        assert read_samples(path) == [1, 2, 3]
    assert read_samples(path) == [1, 2, 3]


def test_time_in_which_nothing_was_heard_is_silence_in_the_recording(tmp_path: Path) -> None:
    path = tmp_path / "out.wav"
    with WavRecording(path, 8000) as recording:
        recording.write(frame([1], 0))
        recording.write(frame([2], 10_001))
    assert read_samples(path) == [1, *[0] * 10_000, 2]
