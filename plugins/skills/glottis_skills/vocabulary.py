"""The words of a file, and the one among them that a misheard word has been."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from glottis_skills.sounds import difference, kinds_of, sounds_of, weight

UNLIKE: Final = 0.32
"""How much of the sounds of the longer one of two words may differ for one to be taken for the other."""
MAX_COMPARED: Final = 50
"""Words that share most with the one that is sought: to compare all of a large file would take seconds."""
MAX_REMEMBERED: Final = 1024
"""Words that were sought: each is several times, for each time that a turn is looked at."""


class Vocabulary:
    """Words that sound so much alike have two kinds of sounds in a row in common, or one at an end of both."""

    def __init__(self, words: Iterable[str]) -> None:
        self._having: defaultdict[str, list[str]] = defaultdict(list)
        for word in words:
            for kinds in _twos(word):
                self._having[kinds].append(word)
        self.closest = lru_cache(MAX_REMEMBERED)(self._closest)

    def _closest(self, word: str) -> str:
        """The word that this one has probably been; itself where it is like none."""
        heard = sounds_of(word)
        shared: Counter[str] = Counter()
        for kinds in _twos(word):
            shared.update(self._having.get(kinds, ()))
        least, found = UNLIKE, word
        for near, _ in shared.most_common(MAX_COMPARED):
            sounds = sounds_of(near)
            whole = max(weight(heard), weight(sounds), 1.0)
            if (cost := difference(heard, sounds, least * whole)) < least * whole:
                least, found = cost / whole, near
        return found


def _twos(word: str) -> set[str]:
    padded = f"^{kinds_of(sounds_of(word))}$"
    return {padded[at : at + 2] for at in range(len(padded) - 1)}
