"""Values that plugins hand over say what is wrong with them when they are made."""

from array import array
from collections.abc import Callable
from ctypes import c_int16
from typing import Any

import numpy
import pytest
from glottis import AudioFrame, EncodedPacket, Page, Principal, Secret

VALUES = list(range(-160, 160))
SAMPLES = array("h", VALUES)
PCM = SAMPLES.tobytes()

BUFFERS: dict[str, Any] = {
    "bytes": PCM,
    "bytearray": bytearray(PCM),
    "memoryview": memoryview(PCM),
    "array": SAMPLES,
    "view of an array": memoryview(SAMPLES),
    "ctypes": (c_int16 * 320)(*VALUES),
    "numpy": numpy.array(VALUES, numpy.int16),
    "numpy column": numpy.array(VALUES, numpy.int16).reshape(-1, 1),
    "one channel of two": numpy.array([VALUES, VALUES], numpy.int16).T[:, 0],
    "numpy bytes": numpy.frombuffer(PCM, numpy.uint8),
}


@pytest.mark.parametrize("pcm", BUFFERS.values(), ids=BUFFERS)
def test_a_frame_takes_samples_in_any_buffer(pcm: Any) -> None:
    frame = AudioFrame(pcm, 16000)
    assert type(frame.pcm) is bytes
    assert (frame.samples.tolist(), frame.sample_count, frame.duration) == (VALUES, 320, 0.02)
    assert AudioFrame(pcm, 16000) == AudioFrame(PCM, 16000)


def test_bytes_are_not_copied_and_other_buffers_are() -> None:
    assert AudioFrame(PCM, 16000).pcm is PCM
    samples = bytearray(PCM)
    frame = AudioFrame(samples, 16000)  # type: ignore[arg-type]
    samples[0] ^= 1
    assert frame.pcm == PCM


@pytest.mark.parametrize(
    ("pcm", "rule"),
    [
        (
            numpy.zeros(320, numpy.float32),
            r"AudioFrame\.pcm: expected signed 16-bit samples .* format 'f': convert them",
        ),
        (numpy.zeros(320, numpy.int32), "format 'i'"),
        (numpy.zeros(320, numpy.uint16), "format 'H'"),
        (numpy.zeros(320, numpy.int8), "format 'b'"),
        (numpy.zeros(320, numpy.dtype(numpy.int16).newbyteorder()), "machine's byte order"),
        (array("i", [0] * 320), "format 'i'"),
        (numpy.zeros((160, 2), numpy.int16), r"expected mono samples in one row, got an array of the shape \(160, 2\)"),
        (numpy.array(5, numpy.int16), "one row"),
        ([0] * 320, "expected bytes or another buffer, got list"),
        ("sound", "got str"),
        (None, "got NoneType"),
        (640, "got int"),
    ],
)
def test_a_frame_of_anything_else_is_refused_with_the_rule(pcm: Any, rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        AudioFrame(pcm, 16000)


@pytest.mark.parametrize("payload", [b"abc", bytearray(b"abc"), memoryview(b"abc"), numpy.frombuffer(b"abc", "u1")])
def test_a_packet_takes_its_payload_in_any_buffer(payload: Any) -> None:
    packet = EncodedPacket(payload, "opus", 48000, 0, 960)
    assert (type(packet.payload), packet.payload) == (bytes, b"abc")


def test_pages_take_their_content_in_any_buffer() -> None:
    assert Page(bytearray(b"<p>"), "text/html").content == b"<p>"  # type: ignore[arg-type]


WRONG: dict[str, Callable[..., object]] = {
    r"EncodedPacket\.payload: expected bytes or another buffer, got str": lambda: EncodedPacket("x", "opus", 1, 0, 1),  # type: ignore[arg-type]
    r"Principal\.name: expected str, got int": lambda: Principal(7),  # type: ignore[arg-type]
    r"Principal\.name: expected a name in one line, got ''": lambda: Principal(""),
    r"Principal\.name: expected a name in one line, got 'a\\nb'": lambda: Principal("a\nb"),
    r"Principal\.name: expected at most 256 characters, got 257": lambda: Principal("a" * 257),
    r"Principal\.attributes: expected a mapping, got list": lambda: Principal("a", []),  # type: ignore[arg-type]
    r"Principal\.attributes\['age'\]: expected str, got int": lambda: Principal("a", {"age": 7}),  # type: ignore[dict-item]
    r"Principal\.max_sessions: expected an integer of at least 0, got -1": lambda: Principal("a", max_sessions=-1),
    r"Principal\.max_sessions: expected an integer, got str": lambda: Principal("a", max_sessions="1"),  # type: ignore[arg-type]
    r"Page\.content: expected bytes or another buffer, got str": lambda: Page("<p>", "text/html"),  # type: ignore[arg-type]
    r"Page\.media_type: expected a name in one line": lambda: Page(b"<p>", "text/html\r\nx-header: y"),
    r"Secret: expected str, got bytes": lambda: Secret(b"hunter2"),  # type: ignore[arg-type]
}


@pytest.mark.parametrize(("rule", "make"), WRONG.items())
def test_a_wrong_value_is_refused_with_the_rule_and_no_secret(rule: str, make: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=f"^{rule}") as refusal:
        make()
    assert "hunter2" not in str(refusal.value)
