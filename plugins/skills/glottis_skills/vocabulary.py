"""The words of a file, and the one among them that a misheard word has been."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from difflib import get_close_matches
from functools import lru_cache
from typing import Final

ALIKE: Final = 0.82
"""As ``difflib`` has it: how much of two words must be the same for one to be taken for the other."""
MAX_LETTERS: Final = 30
MAX_COMPARED: Final = 50
"""Words that share most with the one that is sought: to compare all of a large file would take seconds."""
MAX_REMEMBERED: Final = 1024
"""Words that were sought: each is several times, for each time that a turn is looked at."""


class Vocabulary:
    """Words that are so much alike have three letters in a row in common, the ends of a word being letters, too."""

    def __init__(self, words: Iterable[str]) -> None:
        self._having: defaultdict[str, list[str]] = defaultdict(list)
        for word in words:
            for letters in _threes(word):
                self._having[letters].append(word)
        self.closest = lru_cache(MAX_REMEMBERED)(self._closest)

    def _closest(self, word: str) -> str:
        """The word that this one has probably been; itself where it is like none."""
        word_heard = word[:MAX_LETTERS]
        shared: Counter[str] = Counter()
        for letters in _threes(word_heard):
            shared.update(self._having.get(letters, ()))
        near = [each for each, _ in shared.most_common(MAX_COMPARED)]
        return next(iter(get_close_matches(word_heard, near, n=1, cutoff=ALIKE)), word)


def _threes(word: str) -> set[str]:
    padded = f"^{word}$"
    return {padded[at : at + 3] for at in range(len(padded) - 2)}
