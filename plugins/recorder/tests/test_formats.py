"""The two kinds of files, as others read them."""

import random
import signal
import subprocess
import sys
import wave
from array import array
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import av
import pytest
from glottis import CodecSpec, EncodedPacket, EncoderSettings, Malformed
from glottis_opus import OPUS
from glottis_recorder.ogg import checksum, page
from glottis_recorder.ogg_opus import OggFile
from glottis_recorder.opus_frames import opus_frames_untrusted, self_delimited
from glottis_recorder.timeline import MAX_SKEW, RATE, Timeline
from glottis_recorder.voices import Placed
from glottis_recorder.wav import WavFile
from hypothesis import given
from hypothesis import strategies as st
from support.full_disk import disk_of
from support.installed import installed_plugins

PCMU = installed_plugins().codecs.find("PCMU").spec
CALLER, AGENT = 0, 1
FRAME = 960
"""20 ms at 48 kHz."""
LOUD, SILENT = b"\x80" * 160, b"\xff" * 160


def word(payload: bytes, at: float, codec: CodecSpec = PCMU, *, was_lost: bool = False) -> Placed:
    return Placed(round(at * RATE), payload, codec, was_lost)


def read(path: Path) -> tuple[list[int], list[int]]:
    """Both channels of a WAV file of 8 kHz."""
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, 8000)
        samples = array("h", file.readframes(file.getnframes()))
    return list(samples[0::2]), list(samples[1::2])


# RTP time


def packet(timestamp: int, clock_rate: int = 8000) -> EncodedPacket:
    return EncodedPacket(b"x", "PCMU", clock_rate, timestamp & 0xFFFFFFFF, 160)


def test_positions_go_by_timestamps_alone_over_their_end() -> None:
    timeline = Timeline()
    start = 0xFFFFFF00
    rng = random.Random(1)
    places = [timeline.place(packet(start + 160 * n), 5 + n * FRAME + rng.randrange(-400, 400)) for n in range(500)]
    assert [place - places[0] for place in places] == [n * FRAME for n in range(500)]


def test_a_timestamp_before_the_last_is_placed_before_it() -> None:
    timeline = Timeline()
    places = [timeline.place(packet(timestamp), 0) for timestamp in (1600, 1280, 1920)]
    assert [place - places[0] for place in places] == [0, -2 * FRAME, 2 * FRAME]


@pytest.mark.parametrize("other", [packet(90_000_000), packet(160, clock_rate=16000)])
def test_a_stream_that_begins_anew_begins_at_the_time_of_the_clock(other: EncodedPacket) -> None:
    timeline = Timeline()
    timeline.place(packet(0), 0)
    assert timeline.place(other, 7777) == 7777
    following = replace(other, rtp_timestamp=other.rtp_timestamp + other.clock_rate // 50)
    assert timeline.place(following, 9000) == 7777 + FRAME


def test_a_clock_that_is_off_by_more_than_a_second_is_set_anew() -> None:
    timeline = Timeline()
    timeline.place(packet(0), 0)
    late = round((MAX_SKEW - 0.1) * RATE)
    assert timeline.place(packet(160), FRAME + late) == FRAME
    assert timeline.place(packet(320), 3 * late) == 3 * late


# WAV


def test_each_direction_has_its_channel_and_each_packet_its_place(tmp_path: Path) -> None:
    file = WavFile(tmp_path / "a.wav", 8000)
    file.add(CALLER, word(LOUD, 0.02))
    file.add(AGENT, word(LOUD, 0.06))
    file.close(round(0.1 * RATE))
    left, right = read(tmp_path / "a.wav")
    assert len(left) == len(right) == 800
    assert [bool(sample) for sample in left] == [160 <= index < 320 for index in range(800)]
    assert [bool(sample) for sample in right] == [480 <= index < 640 for index in range(800)]


def test_a_lost_packet_is_concealed_in_its_place_and_a_pause_is_silent(tmp_path: Path) -> None:
    file = WavFile(tmp_path / "a.wav", 8000)
    for at, was_lost in ((0.0, False), (0.04, True), (0.1, False)):
        file.add(CALLER, word(LOUD, at, was_lost=was_lost))
    file.close(0)
    left, _ = read(tmp_path / "a.wav")
    assert len(left) == 960
    assert any(left[160:320])
    assert not any(left[480:800])
    assert all(left[800:])


def test_what_overlaps_is_not_heard_twice(tmp_path: Path) -> None:
    file = WavFile(tmp_path / "a.wav", 8000)
    file.add(CALLER, word(LOUD, 0.0))
    file.add(CALLER, word(LOUD, 0.01))
    file.close(0)
    assert len(read(tmp_path / "a.wav")[0]) == 240


def test_the_file_can_be_played_at_any_moment(tmp_path: Path) -> None:
    file = WavFile(tmp_path / "a.wav", 8000)
    for index in range(10):
        file.add(CALLER, word(LOUD, 0.02 * index))
        file.write(round(0.02 * index * RATE))
        assert len(read(tmp_path / "a.wav")[0]) == 160 * index


# Ogg


def opus_packets(count: int, amplitude: int = 8000, frame_ms: float = 20) -> list[bytes]:
    """Of a tone of 400 Hz."""
    encoder = OPUS.create_encoder(EncoderSettings(sample_rate=48000, frame_ms=frame_ms))
    size = round(48 * frame_ms)
    square = array("h", [amplitude] * 60 + [-amplitude] * 60)
    return [encoder.encode((square * (size // 120)).tobytes()) for _ in range(count)]


def decoded(path: Path) -> tuple[list[int], list[int]]:
    """By FFmpeg."""
    left, right = array("h"), array("h")
    with av.open(str(path)) as container:
        (stream,) = container.streams.audio
        resampler = av.AudioResampler(format="s16p", layout="stereo", rate=48000)
        for frame in container.decode(stream):
            for part in resampler.resample(frame):
                both = part.to_ndarray()
                left.extend(both[0].tolist())
                right.extend(both[1].tolist())
    return list(left), list(right)


def loud_slots(samples: Sequence[int]) -> list[int]:
    """In which of the stretches of 20 ms there is sound."""
    return [slot for slot in range(len(samples) // FRAME) if max(samples[slot * FRAME : (slot + 1) * FRAME]) > 2000]


def test_packets_of_opus_are_in_ogg_as_they_are(tmp_path: Path) -> None:
    file = OggFile(tmp_path / "a.ogg", OPUS)
    packets = opus_packets(100)
    for index, payload in enumerate(packets):
        file.add(CALLER, word(payload, 0.02 * index, OPUS))
        file.add(AGENT, word(packets[-1 - index], 0.02 * index, OPUS))
    file.close(0)
    content = (tmp_path / "a.ogg").read_bytes()
    assert all(self_delimited(mine) + other in content for mine, other in zip(packets, packets[::-1], strict=True))


def test_others_decode_both_channels_each_at_its_time(tmp_path: Path) -> None:
    file = OggFile(tmp_path / "a.ogg", OPUS)
    packets = opus_packets(20)
    for index, payload in enumerate(packets):
        file.add(CALLER, word(payload, 0.2 + 0.02 * index, OPUS))
        file.add(AGENT, word(payload, 1.0 + 0.02 * index, OPUS))
    file.close(2 * RATE)
    left, right = decoded(tmp_path / "a.ogg")
    assert len(left) == len(right) >= 2 * RATE - 2 * FRAME
    assert set(range(11, 29)) <= set(loud_slots(left)) <= set(range(9, 32))
    assert set(range(51, 69)) <= set(loud_slots(right)) <= set(range(49, 72))


def test_what_is_no_opus_or_of_other_length_is_encoded_anew(tmp_path: Path) -> None:
    file = OggFile(tmp_path / "a.ogg", OPUS)
    square = (b"\xa0" * 10 + b"\x20" * 10) * 8  # 400 Hz
    for index in range(25):
        file.add(CALLER, word(square, 0.2 + 0.02 * index))
    for index, payload in enumerate(opus_packets(10, frame_ms=60)):
        file.add(AGENT, word(payload, 0.4 + 0.06 * index, OPUS))
    file.close(RATE + RATE // 2)
    left, right = decoded(tmp_path / "a.ogg")
    assert set(range(12, 33)) <= set(loud_slots(left)) <= set(range(9, 38))
    assert set(range(22, 48)) <= set(loud_slots(right)) <= set(range(19, 53))


def test_a_lost_packet_of_opus_is_left_to_the_decoder(tmp_path: Path) -> None:
    file = OggFile(tmp_path / "a.ogg", OPUS)
    packets = opus_packets(30)
    for index, payload in enumerate(packets):
        if index != 10:
            file.add(CALLER, word(payload, 0.02 * index, OPUS, was_lost=index == 11))
    file.close(0)
    left, _ = decoded(tmp_path / "a.ogg")
    assert set(range(1, 29)) <= set(loud_slots(left))


def test_a_packet_that_comes_when_its_time_is_written_is_left_out(tmp_path: Path) -> None:
    file = OggFile(tmp_path / "a.ogg", OPUS)
    packets = opus_packets(60)
    for index, payload in enumerate(packets[:50]):
        file.add(CALLER, word(payload, 0.02 * index, OPUS))
    file.write(RATE)
    file.add(AGENT, word(packets[50], 0.5, OPUS))
    for index, payload in enumerate(packets[51:]):
        file.add(AGENT, word(payload, 1.2 + 0.02 * index, OPUS))
    file.close(2 * RATE)
    _, right = decoded(tmp_path / "a.ogg")
    assert set(range(61, 68)) <= set(loud_slots(right)) <= set(range(59, 72))


def test_whole_pages_can_be_played_whatever_comes_after(tmp_path: Path) -> None:
    file = OggFile(tmp_path / "a.ogg", OPUS)
    for index, payload in enumerate(opus_packets(60)):
        file.add(CALLER, word(payload, 0.02 * index, OPUS))
    file.write(RATE)
    killed = (tmp_path / "a.ogg").read_bytes()
    (tmp_path / "killed.ogg").write_bytes(killed + b"OggS half a page")
    left, _ = decoded(tmp_path / "killed.ogg")
    assert set(range(2, 48)) <= set(loud_slots(left))
    file.close(0)


def test_the_checksum_is_that_of_ogg() -> None:
    """The polynomial 0x04c11db7, bit by bit, from zero (RFC 3533 §6)."""
    data = page([b"some", b"packets" * 100], 960, 7, 3)
    remainder = 0
    for byte in data[:22] + bytes(4) + data[26:]:
        remainder ^= byte << 24
        for _ in range(8):
            remainder = (remainder << 1 ^ (0x04C11DB7 if remainder & 0x80000000 else 0)) & 0xFFFFFFFF
    assert int.from_bytes(data[22:26], "little") == remainder == checksum(data[:22] + bytes(4) + data[26:])


# The disk


def fill(file: WavFile | OggFile, size: int) -> None:
    """Write ten seconds, half a second at a time, until there is no room."""
    payload = opus_packets(1)[0]

    def write_half_seconds() -> None:
        for index in range(500):
            file.add(CALLER, word(payload, 0.02 * index, OPUS))
            if index % 25 == 24:
                file.write(index * FRAME)

    with disk_of(size), pytest.raises(OSError, match="File too large"):
        write_half_seconds()
    file.abandon()


def test_a_full_disk_leaves_a_wav_file_that_can_be_played(tmp_path: Path) -> None:
    fill(WavFile(tmp_path / "a.wav", 8000), 60_000)
    left, _ = read(tmp_path / "a.wav")
    assert 8000 < len(left) < 15_000
    assert (tmp_path / "a.wav").stat().st_size == 44 + 4 * len(left)


def test_a_full_disk_leaves_an_ogg_file_that_can_be_played(tmp_path: Path) -> None:
    fill(OggFile(tmp_path / "a.ogg", OPUS), 10_000)
    left, _ = decoded(tmp_path / "a.ogg")
    assert len(left) > RATE


KILLED = """
import os, pathlib, signal, sys
from glottis.plugins import load_plugins
from glottis_recorder.voices import Placed
from glottis_recorder.wav import WavFile

pcmu = load_plugins().codecs.find("PCMU").spec
file = WavFile(pathlib.Path(sys.argv[1]), 8000)
for index in range(200):
    file.add(0, Placed(960 * index, bytes([0x80]) * 160, pcmu, False))
    file.write(960 * (index - 25))
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
def test_a_process_that_is_killed_leaves_a_file_that_can_be_played(tmp_path: Path) -> None:
    result = subprocess.run([sys.executable, "-c", KILLED, tmp_path / "a.wav"], check=False)
    assert result.returncode == -signal.SIGKILL
    left, _ = read(tmp_path / "a.wav")
    assert len(left) == 174 * 160
    assert all(left)


# Packets of Opus


@pytest.mark.parametrize(
    ("data", "frames"),
    [
        (b"\xf8abc", [b"abc"]),
        (b"\xf8", [b""]),
        (b"\xf9abcd", [b"ab", b"cd"]),
        (b"\xfa\x01abc", [b"a", b"bc"]),
        (b"\xfa\xfc\x00" + b"a" * 253, [b"a" * 252, b"a"]),
        (b"\xfb\x03abcdef", [b"ab", b"cd", b"ef"]),
        (b"\xfb\x83\x01\x02abbc", [b"a", b"bb", b"c"]),
        (b"\xfb\x42\x02abcd\0\0", [b"ab", b"cd"]),
    ],
)
def test_frames_are_found_in_packets_of_each_code(data: bytes, frames: list[bytes]) -> None:
    assert opus_frames_untrusted(data) == (data[0] & 0xFC, FRAME, frames)


@pytest.mark.parametrize(
    "data",
    [b"", b"\xf9abc", b"\xfa", b"\xfa\xff", b"\xfa\x05abc", b"\xfb", b"\xfb\x00", b"\xfb\x31", b"\xfb\x41\xff",
     b"\xfb\x41\x05ab", b"\xfb\x82\x09a", b"\xfb\x03ab", b"\xf8" + bytes(1276)],
)  # fmt: skip
def test_what_is_no_packet_of_opus_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        opus_frames_untrusted(data)


@given(st.binary(max_size=600))
def test_any_bytes_are_frames_or_malformed(data: bytes) -> None:
    """Fuzz: ``opus_frames_untrusted`` raises ``Malformed`` and nothing else."""
    try:
        frames = opus_frames_untrusted(data).frames
    except Malformed:
        return
    assert 1 <= len(frames) <= 48
    assert sum(map(len, frames)) < len(data)
    for frame in frames:
        alone = bytes([data[0] & 0xFC]) + frame
        assert opus_frames_untrusted(alone).frames == [frame]
        assert len(self_delimited(alone)) == len(alone) + (1 if len(frame) < 252 else 2)
