"""A log in a file of bounded size, for devices whose flash is small, beside standard error.

It is a ring of two: what is full is renamed, in place of the one before, and another is begun. Several processes may
write to the same ring, one after the other. All methods may block: they are for a thread.
"""

import fcntl
import logging
import os
from pathlib import Path
from typing import Final

logger = logging.getLogger(__name__)

OLDER: Final = ".1"
"""Of the name of the file before."""


class RingFile:
    """``write`` raises ``OSError`` where the disk does; that is told once, and again when it is over."""

    def __init__(self, path: Path, most_bytes: int) -> None:
        self._path = path
        self._older = path.with_name(path.name + OLDER)
        self._most = most_bytes // 2 - 1
        self._file = -1
        self._has_failed = False

    def write(self, text: str) -> None:
        """Whole lines, of which each has room in half of the ring."""
        try:
            self._write_pieces(text.encode(errors="backslashreplace"))
        except OSError as error:
            self._close()
            if not self._has_failed:
                self._has_failed = True
                logger.error("log.file: %s takes no log: %s; what it lacks is counted", self._path, error.strerror)
            raise
        if self._has_failed:
            self._has_failed = False
            logger.info("log.file: %s takes the log again", self._path)

    def _write_pieces(self, data: bytes) -> None:
        while data:
            end = len(data) if len(data) <= self._most else data.rfind(b"\n", 0, self._most) + 1
            piece, data = data[: end or self._most], data[end or self._most :]
            self._lock()
            try:
                self._write_piece(piece)
            finally:
                if self._file >= 0:
                    fcntl.flock(self._file, fcntl.LOCK_UN)

    def _lock(self) -> None:
        """The file that has the name now: another process may have renamed the one that was open."""
        while True:
            if self._file < 0:
                self._file = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
            fcntl.flock(self._file, fcntl.LOCK_EX)
            if self._is_current():
                return
            self._close()

    def _write_piece(self, piece: bytes) -> None:
        size = os.fstat(self._file).st_size
        if size + len(piece) + 1 > self._most:
            self._path.replace(self._older)
            self._close()
            self._lock()
        elif size and os.pread(self._file, 1, size - 1) != b"\n":  # cut off by a power cut or a full disk
            piece = b"\n" + piece
        while piece:
            piece = piece[os.write(self._file, piece) :]

    def _is_current(self) -> bool:
        try:
            return os.path.samestat(self._path.stat(), os.fstat(self._file))
        except FileNotFoundError:
            return False

    def _close(self) -> None:
        if self._file >= 0:
            os.close(self._file)  # and with it the lock
            self._file = -1
