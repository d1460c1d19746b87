"""What an examination finds: one line each, and what to change."""

from enum import Enum

import msgspec


class Level(Enum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"
    """Some calls, or calls at some times, will suffer."""
    FAIL = "fail"
    """The gateway does not start, or calls fail."""


class Finding(msgspec.Struct, frozen=True):
    """``what`` is there, and ``advice`` on what to change, which only an ``OK`` does without."""

    level: Level
    subject: str
    what: str
    advice: str = ""

    def __str__(self) -> str:
        line = f"{self.level.value:4}  {self.subject:9}  {self.what}"
        return f"{line} — {self.advice}" if self.advice else line

    def document(self) -> dict[str, str]:
        """For JSON."""
        return {"level": self.level.value, "subject": self.subject, "what": self.what, "advice": self.advice}


def ok(subject: str, what: str) -> Finding:
    """As it should be."""
    return Finding(Level.OK, subject, what)


def warn(subject: str, what: str, advice: str) -> Finding:
    """Not as good as it could be."""
    return Finding(Level.WARN, subject, what, advice)


def fail(subject: str, what: str, advice: str) -> Finding:
    """It does not work."""
    return Finding(Level.FAIL, subject, what, advice)
