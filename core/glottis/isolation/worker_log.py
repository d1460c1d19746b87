"""A worker's log, in the gateway's: records are lines of standard error, among others that are written there."""

import logging
import os
from typing import Annotated, Final

import msgspec

from glottis.contracts.errors import Malformed
from glottis.contracts.log_fields import LogFields, log_fields, logged_as

MARK: Final = b"\x1e"
"""Begins a line that holds a record."""
MAX_LINE: Final = 64 * 1024
"""Bytes; longer lines are cut."""
MAX_TEXT: Final = 8 * 1024
"""Characters of a record's message and traceback: in bytes of JSON, less than a line."""
MAX_FIELD: Final = 256
"""Characters of a session's or a campaign's id."""
_STANDARD_ERROR: Final = 2


class Record(msgspec.Struct, frozen=True):
    """What of a record the gateway's log has."""

    level: int
    name: str
    text: str
    session: Annotated[str, msgspec.Meta(max_length=MAX_FIELD)] = ""
    campaign: Annotated[str, msgspec.Meta(max_length=MAX_FIELD)] = ""


class LineHandler(logging.Handler):
    """Writes records for ``parse_record_untrusted``, from whatever thread; who writes too much waits."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter("%(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """See ``logging.Handler``."""
        try:
            text = self.format(record)
            if len(text) > MAX_TEXT:
                text = f"{text[: MAX_TEXT // 2]} … {text[-MAX_TEXT // 2 :]}"
            fields = log_fields()
            told = Record(record.levelno, record.name, text, fields.session, fields.campaign)
            line = MARK + msgspec.json.encode(told) + b"\n"
            while line:
                line = line[os.write(_STANDARD_ERROR, line) :]
        except Exception:
            self.handleError(record)


def log_to_gateway(level: str) -> None:
    """From now on all loggers do."""
    logging.basicConfig(level=level.upper(), handlers=[LineHandler()], force=True)
    logging.captureWarnings(True)


def parse_record_untrusted(line: bytes) -> Record:
    """Of a line that begins with ``MARK``; raises ``Malformed``."""
    try:
        return msgspec.json.decode(line.removeprefix(MARK), type=Record)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise Malformed("expected a record of a log") from None


class Lines:
    """Cuts what is written to lines."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes | bytearray) -> list[bytes]:
        """Those that are whole now; at the end of all, with ``b"\\n"``, the rest."""
        *lines, self._rest = (self._rest + bytes(data)).split(b"\n")
        if len(self._rest) > MAX_LINE:
            lines.append(self._rest)
            self._rest = b""
        return [line for line in lines if line.strip()]


def log_line(line: bytes, whose: str) -> None:
    """One line of the process ``whose`` in the gateway's log."""
    if line.startswith(MARK):
        try:
            record = parse_record_untrusted(line)
        except Malformed:
            pass
        else:
            with logged_as(LogFields(record.session, record.campaign)):
                logging.getLogger(record.name).log(record.level, "%s: %s", whose, record.text)
            return
    logger.warning("%s wrote: %s", whose, line.decode(errors="replace"))


logger = logging.getLogger(__name__)
