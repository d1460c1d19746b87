"""The directory in which events lie until they are delivered: a file each, whole or not there.

Each process has a folder of its own, which it locks; what others have left in theirs it takes over. All methods may
block: they are for a thread.
"""

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

MAX_BODY: Final = 256 * 1024
"""Bytes of an event: what is longer was not written by us."""
MAX_FOLDERS: Final = 256
_NAME: Final = re.compile(r"(?P<created>[0-9]{20})-(?P<id>msg_[A-Za-z0-9_-]{16,64})\.json")


class Spool:
    """``open`` comes first, and ``close`` last. What cannot be done raises ``OSError``."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._folder = directory
        self._lock = -1

    def open(self) -> list[str]:
        """The names of what lies there, the oldest first."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for number in range(MAX_FOLDERS):
            folder = self._directory / str(number)
            if (lock := _locked(folder)) is None:
                continue
            if self._lock < 0:
                self._folder, self._lock = folder, lock
            else:
                for _ in self._take_over(folder):
                    pass
                os.close(lock)
            if not (self._directory / str(number + 1)).exists():
                break
        if self._lock < 0:
            raise OSError(f"all of {MAX_FOLDERS} folders are in use")
        for part in self._folder.glob("*.part"):
            part.unlink()
        return sorted(path.name for path in self._folder.iterdir() if _NAME.fullmatch(path.name))

    def inherit(self) -> list[str]:
        """The names of what those have left that have gone since ``open``, the oldest first: it is ours now."""
        names: list[str] = []
        for number in range(MAX_FOLDERS):
            folder = self._directory / str(number)
            with suppress(OSError):  # what cannot be had now may be had the next time
                if not folder.exists():
                    break
                if folder == self._folder or (lock := _locked(folder)) is None:
                    continue
                try:
                    for name in self._take_over(folder):
                        names.append(name)
                finally:
                    os.close(lock)
        return sorted(names)

    def close(self) -> None:
        """Others may have the folder."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def write(self, name: str, body: bytes) -> None:
        """So that it is there after a loss of power, or not at all."""
        part = self._folder / f"{name}.part"
        try:
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with open(descriptor, "wb") as file:
                file.write(body)
                file.flush()
                os.fsync(descriptor)
            part.rename(self._folder / name)
        except OSError:
            part.unlink(missing_ok=True)
            raise

    def read(self, name: str) -> bytes | None:
        """None for what is no event, which is put aside."""
        path = self._folder / name
        with path.open("rb") as file:
            body = file.read(MAX_BODY + 1)
        if len(body) <= MAX_BODY and _is_event(body):
            return body
        path.rename(path.with_suffix(".corrupt"))
        return None

    def delete(self, name: str) -> None:
        """It may be gone already."""
        (self._folder / name).unlink(missing_ok=True)

    def _take_over(self, folder: Path) -> Iterator[str]:
        for path in folder.iterdir():
            if _NAME.fullmatch(path.name):
                path.rename(self._folder / path.name)
                yield path.name


def name_of(created_ns: int, message_id: str) -> str:
    """Of an event's file: they sort by time."""
    return f"{created_ns:020d}-{message_id}.json"


def parts_of(name: str) -> tuple[float, str]:
    """When it was created, in seconds since 1970, and its id."""
    found = _NAME.fullmatch(name)
    assert found is not None, "it was listed or made by us"
    return int(found["created"]) / 1e9, found["id"]


def _locked(folder: Path) -> int | None:
    """The descriptor of its lock; None if another process has it."""
    folder.mkdir(mode=0o700, exist_ok=True)
    lock = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return None
    return lock


def _is_event(body: bytes) -> bool:
    try:
        return isinstance(msgspec.json.decode(body, type=dict[str, msgspec.Raw]), dict)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return False
