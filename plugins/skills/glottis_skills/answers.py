"""Questions and answers of a Markdown file, found by SQLite's full-text search (FTS5)."""

import re
import sqlite3
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from glottis import ConfigurationError
from glottis_conversation.sentences import words_of

MAX_BYTES: Final = 4 * 1024 * 1024
MAX_WORDS: Final = 40
"""Of a caller's question."""
ENOUGH: Final = 0.5
"""The share of a question's words that an answer must have."""
AS_GOOD: Final = 0.9
"""The share of the best rank from which on another answer may be meant as well."""
STEM: Final = 4
"""Letters that two forms of a word have in common."""
_HEADING: Final = re.compile(r"^#{1,6}[ \t]+(.+?)[ \t#]*$", re.MULTILINE)
_COMMON: Final = frozenset(
    {
        "a",
        "an",
        "and",
        "are",
        "at",
        "be",
        "can",
        "could",
        "do",
        "does",
        "for",
        "have",
        "how",
        "i",
        "i'd",
        "in",
        "is",
        "it",
    }
    | {
        "know",
        "like",
        "may",
        "me",
        "my",
        "of",
        "on",
        "or",
        "please",
        "tell",
        "that",
        "the",
        "there",
        "this",
        "to",
        "want",
    }
    | {"we", "what", "what's", "when", "where", "which", "who", "why", "will", "with", "would", "you", "your"}
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One question with its answer."""

    question: str
    answer: str


class Answers:
    """Those of one file."""

    def __init__(self, entries: list[Entry]) -> None:
        self._entries = entries
        self._database = sqlite3.connect(":memory:", check_same_thread=False)
        self._database.execute("CREATE VIRTUAL TABLE entries USING fts5(question, answer, tokenize = 'porter')")
        rows = [(entry.question, entry.answer) for entry in entries]
        self._database.executemany("INSERT INTO entries VALUES (?, ?)", rows)

    def find(self, said: str) -> list[Entry]:
        """The answer to a question; two where both may be meant; none where nothing fits."""
        asked = [word for word in words_of(said)[:MAX_WORDS] if word and word not in _COMMON]
        if not asked:
            return []
        query = " OR ".join('"' + word.replace('"', "") + '"' for word in asked)
        found = self._database.execute(
            "SELECT rowid, bm25(entries, 4.0, 1.0) AS rank FROM entries WHERE entries MATCH ? ORDER BY rank LIMIT 2",
            (query,),
        ).fetchall()
        good = [(self._entries[row - 1], rank) for row, rank in found if self._share(asked, row - 1) >= ENOUGH]
        if len(good) == 2 and abs(good[1][1]) < AS_GOOD * abs(good[0][1]):
            good.pop()
        return [entry for entry, _ in good]

    def _share(self, asked: list[str], position: int) -> float:
        entry = self._entries[position]
        stems = {word[:STEM] for word in words_of(f"{entry.question} {entry.answer}")}
        return sum(word[:STEM] in stems for word in asked) / len(asked)


def entries_of(text: str) -> list[Entry]:
    """The headings of a Markdown text that have an answer below."""
    pieces = _HEADING.split(text)[1:]
    pairs = zip(pieces[::2], pieces[1::2], strict=True)
    return [Entry(question.strip(), answer.strip()) for question, answer in pairs if answer.strip()]


@cache
def answers_of(path: Path) -> Answers:
    """Read once, when a gateway starts. Raises ``ConfigurationError``."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigurationError(f"answers: {path} has more than {MAX_BYTES} bytes")
        entries = entries_of(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"answers: cannot read {path}: {error}") from None
    if not entries:
        raise ConfigurationError(f"answers: expected headings with text below in {path}, found none")
    return Answers(entries)
