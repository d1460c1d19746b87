"""Writes the log in a thread of its own: standard error may be a pipe that nobody reads, or a disk that is slow.

Whoever logs leaves a line here and goes on. The oldest lines give way when there is no more room: what a process says
last is worth most. How many there were is written in their place.
"""

import logging
import os
import select
import sys
import threading
import time
import traceback
import weakref
from collections import deque
from collections.abc import Callable
from typing import Final, TextIO

MAX_LINES: Final = 1000
"""Records that wait to be written, and as many may be on their way."""
MAX_CHARACTERS: Final = 1 << 20
"""Of these records together."""
FLUSH_TIMEOUT: Final = 2.0
"""Seconds that the end of the process waits for what is left to be written."""

Write = Callable[[str], None]


class LogWriter:
    """Calls ``write``, which may block, with the lines that were put; ``gap`` makes the one that tells of lost ones."""

    def __init__(self, write: Write, gap: Callable[[int], str]) -> None:
        self.dropped = 0
        """Lines that gave way, or that ``write`` refused."""
        self._write = write
        self._gap = gap
        self._untold = 0
        """Of those, how many no line tells of yet."""
        self._lines: deque[str] = deque()
        self._size = 0
        self._last_flush_failed = False
        self._begin()
        _writers.add(self)

    def _begin(self) -> None:
        """With nothing on its way; again in a fork, which has a copy of everything but the thread."""
        self._lines.clear()
        self._size = 0
        self._is_writing = False
        self._changed = threading.Condition()
        threading.Thread(target=self._run, name="log", daemon=True).start()

    def put(self, line: str) -> None:
        """Leave a line to be written. Never blocks."""
        with self._changed:
            self._lines.append(line)
            self._size += len(line)
            while len(self._lines) > MAX_LINES or self._size > MAX_CHARACTERS:
                self._size -= len(self._lines.popleft())
                self._drop(1)
            self._changed.notify_all()

    def flush(self, timeout: float = FLUSH_TIMEOUT) -> bool:
        """Wait until all is written, but not for long, and not again while nothing moves; says whether it is."""
        deadline = time.monotonic() + (0 if self._last_flush_failed else timeout)
        with self._changed:
            while self._lines or self._is_writing:
                if not self._changed.wait(max(0.0, deadline - time.monotonic())):
                    self._last_flush_failed = True
                    return False
        return True

    def _drop(self, count: int) -> None:
        self.dropped += count
        self._untold += count

    def _run(self) -> None:
        while True:
            lines, told = self._take()
            has_failed = False
            try:
                self._write((self._gap(told) if told else "") + "".join(lines))
            except Exception:  # of a stream that is gone there is nobody to tell
                has_failed = True
            self._done(*((len(lines), told) if has_failed else (0, 0)))

    def _take(self) -> tuple[list[str], int]:
        """All lines that wait, once there are some, and how many are missing before them."""
        with self._changed:
            while not self._lines:
                self._changed.wait()
            lines, told = list(self._lines), self._untold
            self._untold = 0
            self._lines.clear()
            self._size = 0
            self._is_writing = True
            return lines, told

    def _done(self, failed: int, untold: int) -> None:
        with self._changed:
            self._is_writing = False
            self._untold += untold
            self._last_flush_failed = self._last_flush_failed and failed > 0
            self._drop(failed)
            self._changed.notify_all()


_writers: "weakref.WeakSet[LogWriter]" = weakref.WeakSet()


def _begin_in_fork() -> None:
    for writer in _writers:
        writer._begin()


os.register_at_fork(after_in_child=_begin_in_fork)


class WriterHandler(logging.Handler):
    """Formats records at once, since what they are about may change, and leaves the writing to a ``LogWriter``."""

    def __init__(self, write: Write, reason: str = "standard error took them too slowly") -> None:
        """``reason`` says why lines may be lost."""
        super().__init__()
        self._reason = reason
        self.writer = LogWriter(write, self._gap)

    def handle(self, record: logging.LogRecord) -> bool:
        """Without the handler's lock: what takes for ever to be formatted must not hold up the log of others."""
        if wanted := bool(self.filter(record)):
            self.emit(record)
        return wanted

    def emit(self, record: logging.LogRecord) -> None:
        """See ``logging.Handler``."""
        try:
            line = self.format(record) + "\n"
        except Exception:
            self.handleError(record)
        else:
            self.writer.put(line)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """In place of the traceback that ``logging`` itself writes to standard error, whether that blocks or not."""
        place = f"{record.pathname}:{record.lineno}"
        self.writer.put(
            self._line(logging.ERROR, f"a log record made at {place} cannot be formatted: {_current_error()}")
        )

    def flush(self) -> None:
        """See ``LogWriter.flush``."""
        self.writer.flush()

    def _gap(self, count: int) -> str:
        return self._line(logging.WARNING, f"{count} log records are missing here: {self._reason}")

    def _line(self, level: int, message: str) -> str:
        return self.format(logging.LogRecord(__name__, level, "", 0, message, (), None)) + "\n"


def _current_error() -> str:
    return "".join(traceback.format_exception_only(sys.exception())).strip()


def writing_to(stream: TextIO, *, is_shared: bool = False) -> Write:
    """Past Python's buffer where there is a descriptor: its lock would be held as long as a write blocks.

    ``is_shared``: other processes write to the same stream, and no line is to be within one of theirs.
    """
    try:
        descriptor = stream.fileno()
    except OSError:  # a stand-in, in memory
        return lambda text: _write_and_flush(stream, text)
    encoding = stream.encoding
    write = _write_lines if is_shared else _write_all
    return lambda text: write(descriptor, text.encode(encoding, "backslashreplace"))


def _write_and_flush(stream: TextIO, text: str) -> None:
    stream.write(text)
    stream.flush()


def _write_lines(descriptor: int, data: bytes) -> None:
    """In pieces that end with a line, each so short that a pipe takes it at once (write(2), PIPE_BUF), if lines are."""
    while data:
        end = len(data) if len(data) <= select.PIPE_BUF else data.rfind(b"\n", 0, select.PIPE_BUF) + 1
        end = end or data.find(b"\n") + 1 or len(data)
        _write_all(descriptor, data[:end])
        data = data[end:]


def _write_all(descriptor: int, data: bytes) -> None:
    """Wait as long as it takes, even for a descriptor that does not block, as one may be that others hold, too."""
    while data:
        try:
            data = data[os.write(descriptor, data) :]
        except BlockingIOError:
            poll = select.poll()
            poll.register(descriptor, select.POLLOUT)
            poll.poll()
