"""A log in a file: bounded, whole lines, and nobody's trouble where the disk is full."""

import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest
from glottis.config.log_file import OLDER, RingFile
from glottis.config.log_writer import WriterHandler
from support.patience import PATIENCE

MOST = 4000


def numbers(path: Path) -> list[int]:
    older = path.with_name(path.name + OLDER)
    text = (older.read_text() if older.exists() else "") + path.read_text()
    return [int(line.split()[0]) for line in text.splitlines()]


@pytest.mark.parametrize("at_once", [1, 7, 1000])
def test_the_newest_lines_are_kept_within_the_bound(at_once: int, tmp_path: Path) -> None:
    path = tmp_path / "log"
    ring = RingFile(path, MOST)
    lines = [f"{number} {'x' * 30}\n" for number in range(1000)]
    for at in range(0, 1000, at_once):
        ring.write("".join(lines[at : at + at_once]))
        assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= MOST
    kept = numbers(path)
    assert kept == list(range(1000 - len(kept), 1000))
    assert len(kept) >= MOST // 2 // 36


def test_a_line_that_a_power_cut_has_cut_off_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("1 whole\n2 cut o")
    RingFile(path, MOST).write("3 whole\n")
    assert path.read_text().splitlines() == ["1 whole", "2 cut o", "3 whole"]


def test_two_that_write_to_one_ring_lose_nothing_to_each_other(tmp_path: Path) -> None:
    path = tmp_path / "log"
    rings = [RingFile(path, 100_000), RingFile(path, 100_000)]
    for number in range(2000):
        rings[number % 2].write(f"{number} {'x' * 40}\n")
    kept = numbers(path)
    assert kept == list(range(2000 - len(kept), 2000))


def test_a_file_that_somebody_has_moved_away_is_begun_anew(tmp_path: Path) -> None:
    ring = RingFile(tmp_path / "log", MOST)
    ring.write("one\n")
    (tmp_path / "log").rename(tmp_path / "mine")
    ring.write("two\n")
    assert (tmp_path / "log").read_text() == "two\n"


def test_a_disk_that_takes_nothing_is_told_once_and_what_is_missing_is_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    path = tmp_path / "late" / "log"
    handler = WriterHandler(RingFile(path, MOST).write, "the disk took them not")
    log = logging.Logger("of this test")
    log.addHandler(handler)
    for number in range(3):
        log.warning("%d", number)
        assert handler.writer.flush(PATIENCE)
    path.parent.mkdir()
    log.warning("again")
    assert handler.writer.flush(PATIENCE)
    assert path.read_text() == "3 log records are missing here: the disk took them not\nagain\n"
    assert [record.getMessage().split(": ")[0] for record in caplog.records] == ["log.file"] * 2
    assert "No such file or directory" in caplog.text
    assert handler.writer.dropped == 3


def test_a_full_disk_raises_and_is_told_as_such(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(OSError, match="No space left"):
        RingFile(Path("/dev/full"), MOST).write("x\n")
    assert "No space left on device" in caplog.text


@pytest.mark.slow
def test_processes_that_share_a_ring_write_whole_lines(tmp_path: Path) -> None:
    script = """
import logging, sys
from glottis.config import Log, configure_logging, flush_logs
configure_logging(Log(json=True, file=sys.argv[2], file_megabytes=1), f"worker {sys.argv[1]}")
for number in range(900):
    logging.getLogger("x").warning("%d %s", number, sys.argv[1] * 900)
    flush_logs()
"""
    path = tmp_path / "log"
    command = [sys.executable, "-c", script]
    writers = [subprocess.Popen([*command, name, str(path)], stderr=subprocess.DEVNULL) for name in "ab"]
    assert all(writer.wait(PATIENCE) == 0 for writer in writers)
    text = path.with_name(path.name + OLDER).read_text() + path.read_text()
    assert len(text) <= 1 << 20
    for name in "ab":
        said = [record["message"] for line in text.splitlines() if (record := json.loads(line))["worker"][-1] == name]
        kept = [int(message.split()[0]) for message in said]
        assert kept == list(range(900 - len(kept), 900))
