"""A file of a call, written in the disk's thread: whatever the disk does, what is written can be read."""

import logging
import os
from collections.abc import Callable
from io import FileIO
from pathlib import Path

from glottis.wire.call_file import MAGIC

from glottis_recorder.unfinished import create, finish

logger = logging.getLogger(__name__)


class CaptureWriter:
    """A ``CallWriter``. The file is nobody else's to read, and is made with the first entries."""

    def __init__(self, path: Path, session_id: str) -> None:
        self.has_failed = False
        """Nothing more is written."""
        self._path = path
        self._session_id = session_id
        self._file: FileIO | None = None

    def write(self, data: bytes) -> None:
        """Append whole entries; they are there even if the process is killed then."""
        if not self.has_failed:
            self._safely(lambda: self._write(data))

    def close(self) -> None:
        """There is nothing more."""
        if self._file is not None:
            file, self._file = self._file, None
            self._safely(lambda: finish(self._path, file.fileno()))

    def _write(self, data: bytes) -> None:
        if self._file is None:
            self._file = FileIO(create(self._path, os.O_TRUNC), "wb", closefd=False)
            data = MAGIC + data
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]

    def _safely(self, step: Callable[[], object]) -> None:
        try:
            step()
        except OSError as error:
            self.has_failed = True
            logger.error("session %s: its capture ends here: %s", self._session_id, error.strerror)
