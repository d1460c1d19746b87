"""What a gateway has left on its disk, as whoever reads it later would find it."""

import fcntl
import json
import re
import wave
from collections import Counter
from pathlib import Path
from typing import Final

import msgspec
from glottis import GlottisError
from glottis.wire.call_file import parse_call_file_untrusted
from glottis_recorder.ogg import ends_of_pages
from glottis_recorder.unfinished import BROKEN, MARK

LOG: Final = "glottis.log"
_LOG_LINE_BEGINS: Final = re.compile(r'\{"time": ')


class Files:
    """Of one gateway. Each look counts what is there, and forgets it: the next one is at what has come since."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.recordings, self.captures, self.spool = folder / "recordings", folder / "captures", folder / "spool"
        self.counts: Counter[str] = Counter()
        self.complaints: list[str] = []

    def look(self) -> None:
        """After a start; what the running gateway writes just now is left alone."""
        for folder in (self.recordings, self.captures):
            for path in sorted(folder.iterdir()) if folder.exists() else []:
                if path.suffix != MARK and not _is_being_written(path):
                    self._look_at(path)
        for path in self.spool.rglob("*.json"):
            self._note("events in the spool")
            if not isinstance(json.loads(path.read_bytes()), dict):
                self._complain(path, "is no event")
        for path in self.spool.rglob("*.corrupt"):
            self._complain(path, "was half-written")

    def look_at_log(self) -> None:
        """Of which only lines may be cut off, each at the end of what one process has said."""
        for path in (self._folder / f"{LOG}.1", self._folder / LOG):
            for line in path.read_text().splitlines() if path.exists() else []:
                self._note("lines of the log")
                try:
                    json.loads(line)
                except ValueError:
                    self._note("lines of the log that were cut off")
                    if not _LOG_LINE_BEGINS.match(line):
                        self._complain(path, f"has the line {line[:80]!r}")

    def _look_at(self, path: Path) -> None:
        if path.suffix == BROKEN:
            self._note("files set aside")
        else:
            readable = {".wav": _is_wav, ".ogg": _is_ogg, ".glottis": _is_capture}.get(path.suffix)
            if readable is None:
                self._complain(path, "is of no kind that is known")
            elif readable(path):
                self._note(f"{path.suffix} files that can be read")
            else:
                self._complain(path, "cannot be read")
            if path.with_name(path.name + MARK).exists():
                self._complain(path, "was not looked at when the gateway started")
        path.unlink()

    def _note(self, what: str) -> None:
        self.counts[what] += 1

    def _complain(self, path: Path, what: str) -> None:
        self.complaints.append(f"{path.name} {what}")


def _is_being_written(path: Path) -> bool:
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _is_wav(path: Path) -> bool:
    try:
        with wave.open(str(path)) as file:
            frames: int = file.getnframes()
            return len(file.readframes(frames)) == 4 * frames == path.stat().st_size - 44
    except (wave.Error, EOFError):
        return False


def _is_ogg(path: Path) -> bool:
    data = path.read_bytes()
    ends = list(ends_of_pages(data))
    return len(ends) >= 2 and ends[-1] == len(data)


def _is_capture(path: Path) -> bool:
    try:
        parse_call_file_untrusted(path.read_bytes())
    except (GlottisError, msgspec.MsgspecError):
        return False
    return True
