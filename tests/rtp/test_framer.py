import pytest
from glottis.rtp.framer import Framer

FRAME = 320
"""Bytes of 20 ms at 8 kHz."""


@pytest.fixture
def framer() -> Framer:
    return Framer(8000, 0.02)


def test_a_whole_frame_goes_through_as_it_is(framer: Framer) -> None:
    pcm = bytes(range(160)) * 2
    assert framer.cut(pcm)[0] is pcm
    assert framer.rest == b""


def test_chunks_are_joined_and_cut_without_a_sample_lost(framer: Framer) -> None:
    pcm = bytes(range(200)) * 5
    frames = [frame for start in range(0, len(pcm), 50) for frame in framer.cut(pcm[start : start + 50])]
    assert [len(frame) for frame in frames] == [FRAME] * 3
    assert framer.waiting == pytest.approx(40 / 16000)
    assert b"".join(frames) + pcm[-40:] == pcm


def test_the_rest_is_overdue_when_nothing_came_between_two_ticks(framer: Framer) -> None:
    framer.cut(b"\1" * 100)
    assert framer.overdue() is None
    framer.cut(b"\1" * 100)
    assert framer.overdue() is None
    assert framer.overdue() == (b"\1" * 200).ljust(FRAME, b"\0")
    assert framer.overdue() is None


def test_what_is_dropped_is_neither_padded_nor_joined(framer: Framer) -> None:
    framer.cut(b"\1" * 100)
    framer.clear()
    assert framer.pad() is None
    assert framer.cut(b"\2" * FRAME) == [b"\2" * FRAME]


def test_half_a_sample_is_refused(framer: Framer) -> None:
    with pytest.raises(ValueError, match="whole samples of 2 bytes, got 3 bytes"):
        framer.cut(bytes(3))
