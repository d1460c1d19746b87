"""The skill ``answers``: questions and answers of a Markdown file, found by SQLite's full-text search (FTS5)."""

import re
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import msgspec
from glottis import ConfigurationError
from glottis_conversation import Floor, Request, Tool, tool_of
from glottis_conversation.sentences import words_of

from glottis_skills.phrases import WHOLLY, mentions, plain, says
from glottis_skills.replies import is_no, is_yes
from glottis_skills.vocabulary import Vocabulary

MAX_BYTES: Final = 4 * 1024 * 1024
MAX_QUESTION: Final = 300
MAX_ANSWER: Final = 4000
"""Characters: nobody listens for longer."""
MAX_WORDS: Final = 40
"""Of a caller's question."""
MAX_SAYINGS: Final = 500
"""Questions that misheard sentences are compared with."""
ENOUGH: Final = 0.5
"""The share of a question's words that an answer must have."""
DOUBTFUL: Final = 0.3
"""From here on an answer may be meant: that is asked."""
AS_GOOD: Final = 0.9
"""The share of the best rank from which on another answer may be meant as well."""
STEM: Final = 4
"""Letters that two forms of a word have in common."""
UNKNOWN: Final = "I have found nothing about that."
NEITHER: Final = "Then please ask in other words."
_HEADING: Final = re.compile(r"#{1,6}[ \t]")
_COMMON: Final = frozenset(
    words_of(
        "a about an and any are as at be but by can could did do does for from had has have he her him his how i i'd "
        "i'm if in is it its know like many may me much my need no not of on or our please she so some tell than that "
        "the them then there these they this those to us want was we were what what's when where which who why will "
        "with would you your"
    )
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
        self.questions = [plain(entry.question) for entry in entries[:MAX_SAYINGS]]
        words = {word for entry in entries for word in words_of(f"{entry.question} {entry.answer}")}
        self._stems = {word[:STEM] for word in words}
        self._vocabulary = Vocabulary(words)
        self._database = sqlite3.connect(":memory:", check_same_thread=False)
        self._database.execute("CREATE VIRTUAL TABLE entries USING fts5(question, answer, tokenize = 'porter')")
        rows = [(entry.question, entry.answer) for entry in entries]
        self._database.executemany("INSERT INTO entries VALUES (?, ?)", rows)

    def find(self, said: str) -> tuple[list[Entry], float]:
        """The answer to a question, two where both may be meant, none where nothing fits; and how well it does.

        That is the share of the question's words that the (first) answer has.
        """
        asked = [self._known(word) for word in _telling(said)]
        if not asked:
            return [], 0.0
        query = " OR ".join('"' + word.replace('"', "") + '"' for word in asked)
        found = self._database.execute(
            "SELECT rowid, bm25(entries, 4.0, 1.0) AS rank FROM entries WHERE entries MATCH ? ORDER BY rank LIMIT 2",
            (query,),
        ).fetchall()
        shares = [(row - 1, rank, self._share(asked, row - 1)) for row, rank in found]
        good = [each for each in shares if each[2] >= ENOUGH] or [each for each in shares[:1] if each[2] >= DOUBTFUL]
        if len(good) == 2 and abs(good[1][1]) < AS_GOOD * abs(good[0][1]):
            good.pop()
        return [self._entries[at] for at, _, _ in good], good[0][2] if good else 0.0

    def is_asked(self, said: str, entry: Entry) -> bool:
        """Whether any word of it is in the question: what is in the answer alone may be there by chance."""
        stems = {word[:STEM] for word in words_of(entry.question)}
        return any(self._known(word)[:STEM] in stems for word in _telling(said))

    def _known(self, word: str) -> str:
        """The word of the file that was meant by one that is not in it: recognisers mishear "deliver" as "liver"."""
        if word[:STEM] in self._stems or len(word) < STEM:
            return word
        return self._vocabulary.closest(word)

    def _share(self, asked: list[str], position: int) -> float:
        entry = self._entries[position]
        stems = {word[:STEM] for word in words_of(f"{entry.question} {entry.answer}")}
        return sum(word[:STEM] in stems for word in asked) / len(asked)


class AnswersConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the skill."""

    file: str
    """Markdown whose headings are questions, with the answers below."""


class AnswersSkill:
    """The skill, and what it has asked back in one call."""

    def __init__(self, config: AnswersConfig) -> None:
        self._answers = answers_of(Path(config.file))
        self._choices: list[Entry] = []

    def tools(self, floor: Floor) -> Sequence[Tool]:
        """One that looks it up, and shows the client the text."""

        async def look_up(question: str) -> str:
            """Look up what is known here about a question of the caller's."""
            choices, chosen = self._choices, self._chosen(question)
            self._choices = []
            if choices and is_no(question):
                return NEITHER
            found, share = ([chosen], 1.0) if chosen is not None else self._answers.find(question)
            if not found:
                return UNKNOWN
            if len(found) == 1 and share >= ENOUGH:
                await floor.call.send_event("source", {"question": found[0].question, "text": found[0].answer})
                return found[0].answer
            self._choices = found
            return f"Do you mean: {' Or: '.join(entry.question for entry in found)}"

        return [tool_of(look_up, self._hear, sayings=self._answers.questions)]

    def _hear(self, text: str) -> Request | None:
        if self._choices and (self._chosen(text) is not None or is_no(text)):
            return Request({"question": text[:MAX_QUESTION]}, WHOLLY)
        found, share = self._answers.find(text)
        if not found:
            return None
        certainty = 0.3 + 0.6 * share if share >= ENOUGH and self._answers.is_asked(text, found[0]) else 0.3
        return Request({"question": text[:MAX_QUESTION]}, certainty)

    def _chosen(self, said: str) -> Entry | None:
        """Which of the questions that were asked back the caller has meant."""
        if not self._choices or is_no(said):
            return None
        if len(self._choices) == 1:
            return self._choices[0] if is_yes(said) else None
        if says(said, r"(?:the )?(?:first|former)(?: one)?", "one"):
            return self._choices[0]
        if says(said, r"(?:the )?(?:second|last|latter|other)(?: one)?", "two"):
            return self._choices[1]
        fits = [
            sum(mentions(entry.question, re.escape(word)) is not None for word in _telling(said))
            for entry in self._choices
        ]
        return self._choices[fits.index(max(fits))] if fits[0] != fits[1] else None


def _telling(said: str) -> list[str]:
    return [word for word in words_of(said)[:MAX_WORDS] if word and word not in _COMMON]


def entries_of(text: str) -> list[Entry]:
    """The headings of a Markdown text that have an answer below."""
    found: list[tuple[str, list[str]]] = []
    is_code = False
    for line in text.splitlines():
        is_code ^= line.startswith("```")
        if not is_code and _HEADING.match(line):
            found.append((line.strip("# \t"), []))
        elif found:
            found[-1][1].append(line)
    entries = [Entry(question, "\n".join(lines).strip()) for question, lines in found]
    return [entry for entry in entries if entry.question and entry.answer]


@cache
def answers_of(path: Path) -> Answers:
    """Read once, when a gateway starts. Raises ``ConfigurationError``."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigurationError(f"file: {path} has more than {MAX_BYTES} bytes")
        entries = entries_of(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"file: cannot read {path}: {error}") from None
    if not entries:
        raise ConfigurationError(f"file: expected headings with text below in {path}, found none")
    for entry in entries:
        if len(entry.question) > MAX_QUESTION or len(entry.answer) > MAX_ANSWER:
            raise ConfigurationError(
                f"file: expected at most {MAX_QUESTION} characters in a heading and {MAX_ANSWER} below in {path}, got"
                f" {len(entry.question)} and {len(entry.answer)} at {entry.question[:40]!r}"
            )
    return Answers(entries)
