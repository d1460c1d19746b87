"""Text as it is spoken: cut to sentences while it comes, and without what nobody can hear."""

import html
import re
from collections.abc import Iterable
from typing import Final

MAX_PIECE: Final = 240
"""Characters that are spoken at once, where no sentence ends before."""
_END: Final = re.compile(r"[.!?…]+[\"')\]]*\s+|[。！？]+|\n\s*\n|\n(?=\s*[-*•\d])")
_ABBREVIATION: Final = re.compile(r"(?:^|\s)(?:Mr|Mrs|Ms|Dr|St|Prof|No|vs|e\.g|i\.e|[A-Z])\.\s*$")
_PLACE_TO_BREATHE: Final = re.compile(r"[,;:]\s|\s")
_FENCE: Final = re.compile(r"```.*?(?:```|$)", re.DOTALL)
_TAG: Final = re.compile(r"<[/!?]?[A-Za-z][^<>]{0,200}>")
_LINK: Final = re.compile(r"!?\[([^\[\]]{0,200})\]\((?:[^()\n]|\([^()\n]{0,200}\)){0,500}\)")
_URL: Final = re.compile(r"https?://\S+")
_JOINT: Final = re.compile(r"(?<=\w)_(?=\w)")
_MARKS: Final = re.compile(r"[*_`#~|>]+|-{3,}|^[ \t]*[-•]\s+", re.MULTILINE)
_SPACES: Final = re.compile(r"\s+")
_UNSPOKEN: Final = ((_FENCE, " "), (_LINK, r"\1"), (_URL, " "), (_TAG, " "), (_JOINT, " "), (_MARKS, ""))


class SentenceCutter:
    """Takes text in pieces of any length, and gives whole sentences."""

    def __init__(self) -> None:
        self._text = ""

    def add(self, text: str) -> list[str]:
        """The sentences that are complete by now: what follows the end of one has begun."""
        self._text += text
        sentences = []
        while (end := self._end()) is not None:
            sentences.append(self._text[:end].strip())
            self._text = self._text[end:]
        return [sentence for sentence in sentences if sentence]

    def rest(self) -> list[str]:
        """What is left at the end of the text."""
        left, self._text = self._text.strip(), ""
        return [left] if left else []

    def _end(self) -> int | None:
        for match in _END.finditer(self._text, 0, MAX_PIECE):
            if not _ABBREVIATION.search(self._text[: match.end()][-12:]):
                return match.end()
        if len(self._text) <= MAX_PIECE:
            return None
        places = [match.end() for match in _PLACE_TO_BREATHE.finditer(self._text, 1, MAX_PIECE)]
        return places[-1] if places else MAX_PIECE


def spoken_text(text: str) -> str:
    """The text without markup, code, addresses of pages and control characters: nothing, where there is no word."""
    for pattern, replacement in _UNSPOKEN:
        text = pattern.sub(replacement, text)
    text = html.unescape(text)
    text = _SPACES.sub(" ", "".join(char if char.isprintable() else " " for char in text)).strip()
    return text if any(char.isalnum() for char in text) else ""


def whole_characters(text: str) -> str:
    """The text with a question mark in place of what is half a character, which no message can hold."""
    return text.encode("utf-8", "replace").decode("utf-8")


def heard_part(text: str, share: float) -> str:
    """The words of ``text`` of which this share was heard to their ends, by the number of their characters."""
    if share >= 1:
        return text
    limit = share * len(text)
    ends = [match.end() for match in re.finditer(r"\S+", text)]
    return text[: max((end for end in ends if end <= limit), default=0)]


def is_only(text: str, phrases: Iterable[str]) -> bool:
    """Whether it has no words but those of such phrases, whose letters may be repeated: "mmm-hmm" is "mm-hm"."""
    known = sorted((_plain(phrase) for phrase in phrases), key=len, reverse=True)
    words, at = _plain(text), 0
    while at < len(words):
        found = next((phrase for phrase in known if phrase and words[at : at + len(phrase)] == phrase), None)
        if found is None:
            return False
        at += len(found)
    return True


def _plain(text: str) -> list[str]:
    return [re.sub(r"(.)\1+", r"\1", word) for word in words_of(text)]


def words_of(text: str) -> list[str]:
    """In lower case, without punctuation: "Mm-hm." is ``["mm-hm"]``."""
    return [word.strip("-'") for word in re.findall(r"[\w'-]+", text.lower())]
