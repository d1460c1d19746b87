"""What callers say, as sentences with slots, and which of them a misheard one sounds most like.

The sentences make one graph, whose arcs are words. The cheapest way through it takes the words that were heard one by
one or two by two, or leaves some out, and costs what their sounds differ (Viterbi's algorithm, with a beam).
"""

import logging
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from glottis_skills.numbers import FOLLOWING, NUMBER_WORDS
from glottis_skills.phrases import bare
from glottis_skills.sounds import MAX_SOUNDS, difference, sounds_of, weight

MAX_WORDS: Final = 16
"""Who says more says none of these."""
MAX_SHARE: Final = 0.4
"""Of the sounds that were heard that may have been others."""
UNLIKE: Final = 0.9
"""How much of the sounds of a word may be others."""
BEAM: Final = 3.0
"""What costs so much more than another way up to the same word is not followed."""
FREE_COST: Final = 0.05
"""Of each word in a slot that takes any: words that are known come first."""
PIECE: Final = 1000
"""Pairs of sounds that are compared before others have their turn: a millisecond's, and less where much is known."""
ARC: Final = 4
"""As many pairs of sounds cost as much as to look at one arc."""
ANY: Final = ("{word}", "{text}")
"""Slots that take any word, and any words."""
UNSKIPPED: Final = ("{figure}", "{point}")
"""Without which a number is another one."""
Words = tuple[tuple[str, str, float], ...]
"""As they sound, as they are written, and what they weigh."""
Pieces = Iterator[None]
"""Of a computation: between them others have their turn."""

_logger = logging.getLogger(__name__)


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


Ways = dict[int, _Way]
"""By the states that they lead to."""


def _words(words: Iterable[str]) -> Words:
    return tuple((sounds, word, weight(sounds)) for word in words for sounds in [sounds_of(word)])


def as_heard(slots: Mapping[str, Iterable[str]]) -> dict[str, Words]:
    """The words of slots with their sounds."""
    return {name: _words(words) for name, words in slots.items()}


_NUMBERS: Final = as_heard(NUMBER_WORDS)


class Sayings:
    """Sentences in small letters, in which ``{number}`` and the like are slots; ``slots`` has the words of each,
    by ``as_heard``.

    ``{word}`` is any word, ``{text}`` any words.
    """

    def __init__(self, slots: Mapping[str, Words]) -> None:
        self.arcs: list[list[_Arc]] = [[]]
        """By the state that they begin at; all begins at state 0."""
        self.free: dict[int, list[int]] = {}
        """States that others lead to for nothing."""
        self.ends: set[int] = set()
        self._words = {f"{{{name}}}": words for name, words in {**slots, **_NUMBERS}.items()}

    def add(self, saying: str) -> None:
        """One more. One that has other slots is left out, and the log says so; so is one that is too long."""
        elements = saying.split()
        known = {"{number}", *ANY, *self._words}
        if unknown := next((each for each in elements if each.startswith("{") and each not in known), None):
            _logger.warning("the saying %r has the slot %s: expected one of %s", saying, unknown, sorted(known))
        elif len(elements) <= MAX_WORDS:
            state = 0
            for element in elements:
                state = self._added(element, state)
            self.ends.add(state)

    def search(self, said: str) -> Iterator[Likeness | None]:
        """What it sounds most like comes last, None where it is nothing; before it None for each piece of the work."""
        words = bare(said).split()
        if 0 < len(words) <= MAX_WORDS:
            search = _Search(self, words)
            yield from search.pieces()
            yield search.found

    def _added(self, element: str, state: int) -> int:
        """The state behind it."""
        if element == "{number}":
            return self._number(state)
        if element not in ANY:
            return self._next(state, element, self._words.get(element) or _words([element]))
        state = self._next(state, element, ())
        if element == "{text}" and not any(arc.target == state for arc in self.arcs[state]):
            self.arcs[state].append(_Arc(element, (), state))
        return state

    def _next(self, state: int, name: str, words: Words) -> int:
        """The state behind this word, which may be there."""
        found = next((arc.target for arc in self.arcs[state] if arc.name == name), None)
        if found is None:
            found = self._new()
            self.arcs[state].append(_Arc(name, words, found))
        return found

    def _number(self, state: int) -> int:
        """The state behind a number, whose kinds of words follow each other as they may."""
        known = next((arc.target for arc in self.arcs[state] if arc.name == "{ones}"), None)
        if known is not None:
            return self.free[known][0]
        states = {kind: self._new() for kind in NUMBER_WORDS}
        end = self._new()
        for kind, following in FOLLOWING.items():
            start = states[kind] if kind else state
            self.arcs[start] += [_Arc(f"{{{each}}}", self._words[f"{{{each}}}"], states[each]) for each in following]
            if kind and kind not in ("and", "point"):
                self.free[start] = [end]
        return end

    def _new(self) -> int:
        self.arcs.append([])
        return len(self.arcs) - 1


class _Search:
    """Of what was said in some sayings."""

    def __init__(self, sayings: Sayings, words: Sequence[str]) -> None:
        self.found: Likeness | None = None
        self._sayings = sayings
        self._words = words
        self._known: dict[tuple[str, str, str], tuple[float, str, float]] = {}
        self._spent = 0
        """Pairs of sounds since others had their turn."""

    def pieces(self) -> Pieces:
        """Of the work; then it is ``found``."""
        heard: list[str] = []
        for word in self._words:
            heard.append(sounds_of(word))
            yield
        limit = MAX_SHARE * sum(map(weight, heard))
        steps: list[Ways] = [{} for _ in range(len(heard) + 2)]
        steps[0][0] = _Way(0.0, 0.0, ())
        for at in range(len(heard)):
            yield from self._follow(steps[at], limit)
            yield from self._step(heard, at, steps)
        yield from self._follow(steps[len(heard)], limit)
        ends = [way for state, way in steps[len(heard)].items() if state in self._sayings.ends]
        best = min(ends, key=lambda way: way.cost, default=None)
        if best is not None and best.kept:
            self.found = Likeness(" ".join(best.words), 1 - best.cost / best.kept)

    def _step(self, heard: Sequence[str], at: int, steps: Sequence[Ways]) -> Pieces:
        """From what was heard up to here, behind the next word, or the next two."""
        sounds = heard[at]
        lost = weight(sounds)
        pair = sounds + heard[at + 1] if at + 1 < len(heard) else ""
        pair = pair if len(pair) <= MAX_SOUNDS else ""  # no word is as long
        for state, way in steps[at].items():
            _better(steps[at + 1], state, way, lost, lost / 2, ())
            for arc in self._sayings.arcs[state]:
                yield from self._take(arc, way, self._words[at], sounds, steps[at + 1])
                if pair and arc.words:
                    yield from self._take(arc, way, "", pair, steps[at + 2])

    def _take(self, arc: _Arc, way: _Way, word: str, sounds: str, to: Ways) -> Pieces:
        """What was heard is a word of this arc, or one of it and one of an arc behind."""
        if not arc.words:
            _better(to, arc.target, way, FREE_COST, 0.0, (word,))
        elif arc.name == "{figure}":
            if word.isdigit():
                _better(to, arc.target, way, 0.0, 1.0, (word,))
        else:
            yield from self._compare(arc, way, sounds, "", (), to)
            if word and len(arc.words) == 1 and len(sounds) > len(arc.words[0][0]):
                first, written, _ = arc.words[0]
                for behind in self._sayings.arcs[arc.target]:
                    if behind.words and behind.name != "{figure}":
                        yield from self._compare(behind, way, sounds, first, (written,), to)

    def _compare(self, arc: _Arc, way: _Way, sounds: str, before: str, words: tuple[str, ...], to: Ways) -> Pieces:
        """Whether it was the word of this arc that sounds most like it, behind these."""
        key = (arc.name, sounds, before)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = yield from self._closest(arc.words, sounds, before)
        cost, own, kept = known
        if own:
            _better(to, arc.target, way, cost, kept, (*words, own))
        self._spent += ARC
        if self._spent >= PIECE:
            yield from self._rest()

    def _closest(self, words: Words, sounds: str, before: str) -> Generator[None, None, tuple[float, str, float]]:
        """The one that this was, behind another one: what it costs, the word, its weight; "" for none."""
        whole, ahead = weight(sounds), weight(before)
        limit, found, kept = UNLIKE * whole, "", 0.0
        for each, word, own in words:
            if abs(own + ahead - whole) < limit:
                self._spent += len(before + each) * len(sounds)
                if (cost := difference(before + each, sounds, limit)) < limit:
                    limit, found, kept = cost, word, own + ahead
                if self._spent >= PIECE:
                    yield from self._rest()
        return limit, found, kept

    def _follow(self, ways: Ways, limit: float) -> Pieces:
        """With the states that are reached without a word, where one was not heard; what costs too much is left."""
        most = min(min((way.cost for way in ways.values()), default=0.0) + BEAM, limit)
        waiting = [state for state, way in ways.items() if way.cost <= most]
        while waiting:
            state = waiting.pop()
            way = ways[state]
            for target, cost, words in self._unheard(state):
                if way.cost + cost <= most and _better(ways, target, way, cost, cost, words):
                    waiting.append(target)
                self._spent += ARC
                if self._spent >= PIECE:
                    yield from self._rest()
        for state in [state for state, way in ways.items() if way.cost > most]:
            del ways[state]

    def _unheard(self, state: int) -> Iterator[tuple[int, float, tuple[str, ...]]]:
        for target in self._sayings.free.get(state, ()):
            yield target, 0.0, ()
        for arc in self._sayings.arcs[state]:
            if len(arc.words) == 1 and arc.name not in UNSKIPPED:
                _, word, cost = arc.words[0]
                yield arc.target, cost, (word,)

    def _rest(self) -> Pieces:
        self._spent = 0
        yield


def _better(ways: Ways, state: int, way: _Way, cost: float, kept: float, words: tuple[str, ...]) -> bool:
    known = ways.get(state)
    if known is not None and known.cost <= way.cost + cost:
        return False
    ways[state] = _Way(way.cost + cost, way.kept + kept, way.words + words)
    return True
