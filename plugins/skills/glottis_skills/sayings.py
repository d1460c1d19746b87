"""What callers say, as sentences with slots, and which of them a misheard one sounds most like.

The sentences make one graph, whose arcs are words. The cheapest way through it takes the words that were heard one by
one or two by two, or leaves some out, and costs what their sounds differ (Viterbi's algorithm, with a beam).
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from glottis_skills.numbers import FOLLOWING, NUMBER_WORDS
from glottis_skills.phrases import bare
from glottis_skills.sounds import difference, sounds_of, weight

MAX_WORDS: Final = 16
"""Who says more says none of these."""
MAX_SHARE: Final = 0.4
"""Of the sounds that were heard that may have been others."""
UNLIKE: Final = 0.9
"""How much of the sounds of a word may be others."""
MAX_REMEMBERED: Final = 8192
"""Sounds that were compared."""
BEAM: Final = 3.0
"""What costs so much more than another way up to the same word is not followed."""
FREE_COST: Final = 0.05
"""Of each word in a slot that takes any: words that are known come first."""
ANY: Final = ("{word}", "{text}")
"""Slots that take any word, and any words."""
UNSKIPPED: Final = ("{figure}", "{point}")
"""Without which a number is another one."""
Words = tuple[tuple[str, str, float], ...]
"""As they sound, as they are written, and what they weigh."""


class Likeness(NamedTuple):
    """A saying, with what was said in its slots, and how much of its sounds was heard: up to 1."""

    text: str
    share: float


class _Arc(NamedTuple):
    """One of these words leads to another state; any word, where there are none."""

    name: str
    words: Words
    target: int


class _Way(NamedTuple):
    """What it has cost by now, of what weight, and the words on it."""

    cost: float
    kept: float
    words: tuple[str, ...]


class Sayings:
    """Sentences in small letters, in which ``{number}`` and the like are slots; ``slots`` has the words of each.

    ``{word}`` is any word, ``{text}`` any words.
    """

    def __init__(self, sayings: Iterable[str], slots: Mapping[str, Iterable[str]]) -> None:
        self._words = {f"{{{name}}}": _words(words) for name, words in {**slots, **NUMBER_WORDS}.items()}
        self._arcs: list[list[_Arc]] = [[]]
        self._free: dict[int, list[int]] = {}
        """States that others lead to for nothing."""
        self._closest_word = lru_cache(MAX_REMEMBERED)(self._closest_of)
        self._ends = {self._added(saying) for saying in sayings}

    def closest(self, said: str) -> Likeness | None:
        """None where nothing sounds like it."""
        words = bare(said).split()
        if not 0 < len(words) <= MAX_WORDS:
            return None
        heard = [sounds_of(word) for word in words]
        limit = MAX_SHARE * sum(map(weight, heard))
        steps: list[dict[int, _Way]] = [{} for _ in range(len(words) + 2)]
        steps[0][0] = _Way(0.0, 0.0, ())
        for at, word in enumerate(words):
            ways = self._followed(steps[at], limit)
            lost = weight(heard[at])
            pair = heard[at] + heard[at + 1] if at + 1 < len(heard) else ""
            for state, way in ways.items():
                _better(steps[at + 1], state, way, lost, lost / 2, ())
                for arc in self._arcs[state]:
                    self._take(arc, way, word, heard[at], steps[at + 1])
                    if pair and arc.words:
                        self._take(arc, way, "", pair, steps[at + 2])
        ends = [way for state, way in self._followed(steps[len(words)], limit).items() if state in self._ends]
        best = min(ends, key=lambda way: way.cost, default=None)
        return Likeness(" ".join(best.words), 1 - best.cost / best.kept) if best is not None and best.kept else None

    def _take(self, arc: _Arc, way: _Way, word: str, sounds: str, to: dict[int, _Way]) -> None:
        """What was heard is a word of this arc, or one of it and one of an arc behind."""
        if not arc.words:
            _better(to, arc.target, way, FREE_COST, 0.0, (word,))
            return
        if arc.name == "{figure}":
            if word.isdigit():
                _better(to, arc.target, way, 0.0, 1.0, (word,))
            return
        cost, own, kept = self._closest_word(arc.name, sounds, "")
        if own:
            _better(to, arc.target, way, cost, kept, (own,))
        if word and len(arc.words) == 1 and len(sounds) > len(arc.words[0][0]):
            first = arc.words[0]
            for arc_behind in self._arcs[arc.target]:
                if arc_behind.words and arc_behind.name != "{figure}":
                    cost, own, kept = self._closest_word(arc_behind.name, sounds, first[0])
                    if own:
                        _better(to, arc_behind.target, way, cost, kept, (first[1], own))

    def _closest_of(self, name: str, sounds: str, before: str) -> tuple[float, str, float]:
        """The word of an arc that this was, behind another one: what it costs, the word, its weight; "" for none."""
        whole, ahead = weight(sounds), weight(before)
        limit, found, kept = UNLIKE * whole, "", 0.0
        for each, word, own in self._words[name]:
            if abs(own + ahead - whole) < limit and (cost := difference(before + each, sounds, limit)) < limit:
                limit, found, kept = cost, word, own + ahead
        return limit, found, kept

    def _followed(self, ways: dict[int, _Way], limit: float) -> dict[int, _Way]:
        """With the states that are reached without a word: where one was not heard."""
        most = min(min((way.cost for way in ways.values()), default=0.0) + BEAM, limit)
        waiting = [state for state, way in ways.items() if way.cost <= most]
        while waiting:
            state = waiting.pop()
            way = ways[state]
            for target, cost, words in self._unheard(state):
                if way.cost + cost <= most and _better(ways, target, way, cost, cost, words):
                    waiting.append(target)
        return {state: way for state, way in ways.items() if way.cost <= most}

    def _unheard(self, state: int) -> Iterator[tuple[int, float, tuple[str, ...]]]:
        for target in self._free.get(state, ()):
            yield target, 0.0, ()
        for arc in self._arcs[state]:
            if len(arc.words) == 1 and arc.name not in UNSKIPPED:
                _, word, cost = arc.words[0]
                yield arc.target, cost, (word,)

    def _added(self, saying: str) -> int:
        """The state at the end of one more."""
        state = 0
        for element in saying.split():
            if element == "{number}":
                state = self._number(state)
            elif element in ANY:
                state = self._next(state, element, ())
                if element == "{text}" and not any(arc.target == state for arc in self._arcs[state]):
                    self._arcs[state].append(_Arc(element, (), state))
            else:
                state = self._next(state, element, self._words.setdefault(element, _words([element])))
        return state

    def _next(self, state: int, name: str, words: Words) -> int:
        """The state behind this word, which may be there."""
        found = next((arc.target for arc in self._arcs[state] if arc.name == name), None)
        if found is None:
            found = self._new()
            self._arcs[state].append(_Arc(name, words, found))
        return found

    def _number(self, state: int) -> int:
        """The state behind a number, whose kinds of words follow each other as they may."""
        known = next((arc.target for arc in self._arcs[state] if arc.name == "{ones}"), None)
        if known is not None:
            return self._free[known][0]
        states = {kind: self._new() for kind in NUMBER_WORDS}
        end = self._new()
        for kind, following in FOLLOWING.items():
            start = states[kind] if kind else state
            self._arcs[start] += [_Arc(f"{{{each}}}", self._words[f"{{{each}}}"], states[each]) for each in following]
            if kind and kind not in ("and", "point"):
                self._free[start] = [end]
        return end

    def _new(self) -> int:
        self._arcs.append([])
        return len(self._arcs) - 1


def _words(words: Iterable[str]) -> Words:
    return tuple((sounds, word, weight(sounds)) for word in words for sounds in [sounds_of(word)])


def _better(ways: dict[int, _Way], state: int, way: _Way, cost: float, kept: float, words: tuple[str, ...]) -> bool:
    known = ways.get(state)
    if known is not None and known.cost <= way.cost + cost:
        return False
    ways[state] = _Way(way.cost + cost, way.kept + kept, way.words + words)
    return True
