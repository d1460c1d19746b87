"""Files that are being written: those that a loss of power has cut off are known when the gateway starts again.

Each has an empty file beside it, its mark, until it is closed. Who writes it has locked it, so that the files of other
processes that run are left alone.
"""

import fcntl
import logging
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from glottis.wire.call_file import MAGIC, SUFFIX

from glottis_recorder import ogg, wav_header

logger = logging.getLogger(__name__)

MARK: Final = ".unfinished"
"""Behind the name of a file."""
BROKEN: Final = ".broken"
"""The same, of one in which nothing can be read."""


def create(path: Path, flag: int = os.O_EXCL) -> int:
    """A file that is ours to read alone; returns its descriptor. Raises ``OSError``."""
    mark = path.with_name(path.name + MARK)
    mark.touch(mode=0o600)
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | flag | os.O_CLOEXEC, 0o600)
    except OSError:
        mark.unlink(missing_ok=True)
        raise
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return file


def finish(path: Path, file: int) -> None:
    """Close it: it is as it should be. Raises ``OSError``."""
    os.close(file)
    path.with_name(path.name + MARK).unlink(missing_ok=True)


def mend_all(directory: Path) -> None:
    """Make those readable that were cut off, or set them aside, and say so. May block."""
    for mark in directory.glob(f"*{MARK}"):
        path = mark.with_name(mark.name.removesuffix(MARK))
        try:
            if _is_ours(path):
                _mend(path)
                mark.unlink()
        except FileNotFoundError:  # cut off before there was a file, or another process was here first
            mark.unlink(missing_ok=True)
        except OSError as error:
            logger.error("session %s: its file was cut off, and cannot be mended: %s", path.stem, error.strerror)


def _is_ours(path: Path) -> bool:
    with path.open("rb") as file, suppress(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


def _mend(path: Path) -> None:
    mend = MENDERS.get(path.suffix)
    if mend is None or mend(path):
        logger.warning("session %s: its file was cut off when the gateway ended; what is in it can be read", path.stem)
        return
    aside = path.with_name(path.name + BROKEN)
    path.replace(aside)
    logger.error("session %s: its file was cut off before anything could be read in it: now %s", path.stem, aside.name)


def _mend_wav(path: Path) -> bool:
    with path.open("r+b") as file:
        header = wav_header.mended(file.read(wav_header.SIZE), os.fstat(file.fileno()).st_size)
        if header is None:
            return False
        file.seek(0)
        file.write(header)
    return True


def _mend_ogg(path: Path) -> bool:
    """Up to the last page that is whole; the first two say what is in the others."""
    data = path.read_bytes()
    ends = list(ogg.ends_of_pages(data))
    if len(ends) < 2:
        return False
    if ends[-1] < len(data):
        os.truncate(path, ends[-1])
    return True


def _mend_capture(path: Path) -> bool:
    """Its readers pass over a last entry that breaks off."""
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


MENDERS: Final[Mapping[str, Callable[[Path], bool]]] = {".wav": _mend_wav, ".ogg": _mend_ogg, SUFFIX: _mend_capture}
"""Each says whether anything can be read; by the endings of files."""
