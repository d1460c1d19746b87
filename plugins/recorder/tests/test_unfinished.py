"""Files that a loss of power has cut off, when the gateway starts again."""

import os
import wave
from pathlib import Path

import av
import pytest
from glottis.wire.call_file import MAGIC
from glottis_recorder.ogg import opus_head, opus_tags, page
from glottis_recorder.unfinished import MARK, create, finish, mend_all
from glottis_recorder.wav_header import header_of

SAMPLES = bytes(range(256)) * 10
PAGES = [page([opus_head()], 0, 7, 0, 2), page([opus_tags([])], 0, 7, 1), page([b"\xfc\0\xfc"] * 50, 48000, 7, 2)]


def cut_off(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    path.with_name(path.name + MARK).touch()
    return path


@pytest.mark.parametrize("told", [0, 100, len(SAMPLES), 10**6])
def test_the_lengths_in_a_wav_file_become_those_of_what_is_there(told: int, tmp_path: Path) -> None:
    path = cut_off(tmp_path / "a.wav", header_of(8000, told) + SAMPLES + b"\1\2")
    mend_all(tmp_path)
    with wave.open(str(path)) as file:
        assert file.readframes(10**6) == SAMPLES
    assert [each.name for each in tmp_path.iterdir()] == ["a.wav"]


@pytest.mark.parametrize("tail", [b"", PAGES[2][:-1], PAGES[2][:20], bytes(500), b"OggS" + bytes(300)])
def test_an_ogg_file_ends_with_its_last_whole_page(tail: bytes, tmp_path: Path) -> None:
    path = cut_off(tmp_path / "a.ogg", b"".join(PAGES) + tail)
    mend_all(tmp_path)
    assert path.read_bytes() == b"".join(PAGES)
    with av.open(str(path)) as container:
        assert container.streams.audio[0].channels == 2


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.wav", b""),
        ("a.wav", bytes(4000)),
        ("a.wav", header_of(8000, 0)[:43]),
        ("a.ogg", b""),
        ("a.ogg", PAGES[0] + PAGES[1][:-1]),
        ("a.ogg", bytes(4000)),
        ("a.glottis", b""),
        ("a.glottis", MAGIC[:-1]),
    ],
)
def test_what_cannot_be_read_is_set_aside_with_a_word(
    name: str, content: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cut_off(tmp_path / name, content)
    mend_all(tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == [f"{name}.broken"]
    assert f"session a: its file was cut off before anything could be read in it: now {name}.broken" in caplog.text


def test_a_capture_is_left_as_it_is(tmp_path: Path) -> None:
    path = cut_off(tmp_path / "a.glottis", MAGIC + b"x")
    mend_all(tmp_path)
    assert path.read_bytes() == MAGIC + b"x"


def test_what_another_process_writes_and_what_was_finished_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    file = create(path)
    mend_all(tmp_path)
    assert path.exists()
    finish(path, file)
    assert [each.name for each in tmp_path.iterdir()] == ["a.wav"]
    with pytest.raises(FileExistsError):
        create(path)
    assert len(list(tmp_path.iterdir())) == 1


def test_a_mark_without_a_file_goes(tmp_path: Path) -> None:
    (tmp_path / f"a.ogg{MARK}").touch()
    mend_all(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_mended_is_told_and_holds_up_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    os.mkdir(tmp_path / "a.wav")
    (tmp_path / f"a.wav{MARK}").touch()
    cut_off(tmp_path / "b.wav", header_of(8000, 0) + SAMPLES)
    mend_all(tmp_path)
    assert "session a: its file was cut off, and cannot be mended: Is a directory" in caplog.text
    assert not (tmp_path / f"b.wav{MARK}").exists()
