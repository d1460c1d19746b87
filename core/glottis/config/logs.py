"""Sets up the standard library's logging as ``[log]`` says."""

import json
import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from glottis.config.log_file import RingFile
from glottis.config.log_settings import Log
from glottis.config.log_writer import WriterHandler, writing_to
from glottis.contracts.log_fields import LogFields, log_fields
from glottis.contracts.notes import TOPICS, TRACE_LOGGER

MAX_TEXT: Final = 1 << 15
"""Characters of one message or traceback that are logged."""

logger = logging.getLogger(__name__)


class TextFormatter(logging.Formatter):
    """A line for people, and a traceback below it. ``who`` writes it, if that is to be told."""

    def __init__(self, who: str = "") -> None:
        super().__init__(f"%(asctime)s %(levelname)-7s {who}{', ' if who else ''}%(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """The record, cut if it is too long."""
        return _cut(super().format(record))


class JsonFormatter(logging.Formatter):
    """One JSON object per line: ``time`` (RFC 3339), ``level``, ``logger``, ``message``, and ``exception`` if any.

    ``process`` is the number of the process, ``worker`` its name if it has one; ``session``, ``campaign`` and
    ``request`` are there for what belongs to one.
    """

    def __init__(self, worker: str = "") -> None:
        super().__init__()
        self._worker = worker

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line; what is too long is cut."""
        fields = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _cut(record.getMessage()),
            "process": record.process,
            **({"worker": self._worker} if self._worker else {}),
            **{name: value for name, value in _fields_of(record)._asdict().items() if value},
        }
        if record.exc_info:
            fields["exception"] = _cut(self.formatException(record.exc_info))
        return json.dumps(fields, ensure_ascii=False)


def _fields_of(record: logging.LogRecord) -> LogFields:
    """Those that it was made with, such as one of an agent's process, or those that hold here, where it was made."""
    fields = getattr(record, "fields", None)
    return fields if isinstance(fields, LogFields) else log_fields()


def _cut(text: str) -> str:
    """Both ends of a text that is too long: of a traceback, the last line says most."""
    if len(text) <= MAX_TEXT:
        return text
    end = MAX_TEXT // 2
    return f"{text[:end]} … {len(text) - 2 * end} characters left out … {text[-end:]}"


HTTP_CLIENTS: Final = ("httpcore", "httpcore2", "httpx", "httpx2", "urllib3")
"""Libraries that tell of each request with its URL, in which there may be a key, or of cookies: that is no affair of
the log's."""


def configure_logging(log: Log, worker: str = "") -> None:
    """Send the records of all loggers from ``log.level`` up, and Python's warnings, to standard error, and to
    ``log.file``.

    ``worker`` names this process, where several serve. Of the topics in ``log.verbose`` all notes are sent.

    A thread writes them, so that nobody waits for a pipe or disk. Without standard error there is none there.
    """
    handlers: list[logging.Handler] = []
    if sys.stderr is not None:
        handlers.append(WriterHandler(writing_to(sys.stderr, is_shared=bool(worker))))
    if log.file:
        ring = RingFile(Path(log.file), log.file_megabytes << 20)
        handlers.append(WriterHandler(ring.write, "the disk took them too slowly, or not at all"))
    for handler in handlers:
        handler.setFormatter(JsonFormatter(worker) if log.json else TextFormatter(worker))
    logging.basicConfig(level=log.level.upper(), handlers=handlers or [logging.NullHandler()], force=True)
    for topic in TOPICS:  # notes are of the level debug
        level = logging.DEBUG if topic in log.verbose else logging.NOTSET
        logging.getLogger(f"{TRACE_LOGGER}.{topic}").setLevel(level)
    for client in HTTP_CLIENTS:
        logging.getLogger(client).setLevel(logging.WARNING)
    logging.captureWarnings(True)


def records_dropped() -> int:
    """Log records that standard error or the disk took too slowly, or not at all, so far."""
    return sum(handler.writer.dropped for handler in _handlers())


def flush_logs() -> None:
    """Wait until the log is written, but no longer than about two seconds if nobody takes it."""
    for handler in _handlers():
        handler.flush()


def _handlers() -> list[WriterHandler]:
    return [handler for handler in logging.getLogger().handlers if isinstance(handler, WriterHandler)]


@contextmanager
def uncaught_errors_logged() -> Iterator[None]:
    """Let the log have what Python would write to standard error: errors of threads, and those without a caller."""
    of_threads, without_caller = threading.excepthook, sys.unraisablehook
    threading.excepthook = _log_error_of_thread
    sys.unraisablehook = _log_unraisable
    try:
        yield
    finally:
        threading.excepthook, sys.unraisablehook = of_threads, without_caller


def _log_error_of_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_type is not SystemExit and args.exc_value is not None:
        name = args.thread.name if args.thread is not None else "that is gone"
        logger.error("thread %s failed", name, exc_info=args.exc_value)


def _log_unraisable(unraisable: "sys.UnraisableHookArgs") -> None:
    logger.error("%s %r", unraisable.err_msg or "ignored in", unraisable.object, exc_info=unraisable.exc_value)
