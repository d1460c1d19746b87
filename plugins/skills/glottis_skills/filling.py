"""How a form is filled in by talking: it asks slot by slot, takes corrections, and has all of it confirmed."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import Enum, auto
from typing import Final

import msgspec

from glottis_skills.phrases import mentions, plain
from glottis_skills.replies import is_no, is_stop, is_yes
from glottis_skills.slots import Kind, is_all_of, spotted, value_of

MAX_TRIES: Final = 2
"""For a slot: then it is taken as it was said."""
_WHAT: Final[dict[Kind, str]] = {
    "text": "an answer",
    "name": "a name",
    "number": "a number",
    "date": "a day",
    "time": "a time",
    "phone": "a telephone number",
}
_CORRECTS: Final = re.compile(
    r"^\W*(?:(?:oh|no|nope|sorry|wait|actually|i mean|i meant|i said|not quite|that's wrong|that is wrong|wrong|rather"
    r"|make (?:it|that)|change (?:it|that|the \w+) to|it's|it is|it should be|should be|but)\b[\s,.:;!-]*)+",
    re.IGNORECASE,
)


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a form asks for."""

    label: str
    """Such as "day"."""
    ask: str
    """The question."""
    kind: Kind = "text"


class Stage(Enum):
    """Of a form."""

    ASKING = auto()
    CONFIRMING = auto()
    CHANGING = auto()
    DONE = auto()
    GIVEN_UP = auto()


@dataclass(slots=True)
class Filling:
    """One form that is being filled in, in one call."""

    slots: Sequence[Slot]
    today: date
    values: dict[str, str] = field(default_factory=dict)
    """By label."""
    stage: Stage = Stage.ASKING
    tries: int = 0

    def begin(self, said: str) -> str:
        """What to say first to who has asked for the form, perhaps with values in it."""
        self._spot(said)
        return self._go_on()

    def take(self, said: str) -> str:
        """What to say to this answer; ``DONE`` and ``GIVEN_UP`` have nothing to say."""
        if is_stop(said) or (self.stage is Stage.CHANGING and is_no(said)):
            self.stage = Stage.GIVEN_UP
            return ""
        if self.stage is Stage.CONFIRMING:
            return self._take_confirmation(said)
        if self.stage is Stage.CHANGING:
            return self._change(said) or self._ask_again(said) or self._ask_for_change()
        return self._take_value(said)

    def may_lack(self, said: str) -> bool:
        """Whether this answer may have more of what is asked for than was understood."""
        return self.stage is Stage.ASKING and self.slot is not None and not is_all_of(self.slot.kind, said)

    @property
    def slot(self) -> Slot | None:
        """That is asked for next."""
        return next((slot for slot in self.slots if slot.label not in self.values), None)

    def _take_value(self, said: str) -> str:
        slot = self.slot
        assert slot is not None
        corrected = self._change(said, besides=slot) if _corrects(said) else None
        if corrected is not None:
            return corrected
        value = value_of(slot.kind, said, self.today)
        if value is None and self.tries + 1 < MAX_TRIES:
            self.tries += 1
            return f"I am sorry, I need {_WHAT[slot.kind]}. {slot.ask}"
        self.values[slot.label] = value if value is not None else said.strip()
        if slot.kind not in ("text", "name"):
            self._spot(said)
        return self._go_on()

    def _take_confirmation(self, said: str) -> str:
        if is_yes(said):
            self.stage = Stage.DONE
            return ""
        if not is_no(said) and (changed := self._change(said)) is not None:
            return changed
        return self._ask_for_change() if is_no(said) or _corrects(said) else self._go_on()

    def _ask_for_change(self) -> str:
        self.stage = Stage.CHANGING
        return "What shall I change?"

    def _ask_again(self, said: str) -> str | None:
        """The question of what is named: "the day" is to be changed, to what was not said."""
        for slot in self.slots:
            if mentions(said, re.escape(plain(slot.label))):
                self.values.pop(slot.label, None)
                return self._go_on()
        return None

    def _change(self, said: str, besides: Slot | None = None) -> str | None:
        """Correct what was said before, and go on; None where there is nothing in it to correct."""
        words = _CORRECTS.sub("", said).strip()
        filled = [slot for slot in reversed(self.slots) if slot.label in self.values and slot is not besides]
        if besides is not None and value_of(besides.kind, words, self.today) and besides.kind not in ("text", "name"):
            return None
        for slot, value in self._changes(filled, said, words, is_open=besides is None):
            self.values[slot.label] = value
            return f"All right, {value}. {self._go_on()}" if besides is not None else self._go_on()
        return None

    def _changes(self, filled: Sequence[Slot], said: str, words: str, *, is_open: bool) -> list[tuple[Slot, str]]:
        """The slots that it can be about, the likeliest first: named, of a kind that is sure, of one that fits."""
        named = [slot for slot in filled if mentions(said, re.escape(plain(slot.label)))]
        found = [(slot, value_of(slot.kind, _behind(slot.label, words), self.today)) for slot in named]
        found += [(slot, spotted(slot.kind, words, self.today)) for slot in filled]
        if is_open or _corrects(said):
            typed = [slot for slot in filled if slot.kind not in ("text", "name")]
            found += [(slot, value_of(slot.kind, words, self.today)) for slot in typed]
        free = [slot for slot in filled if slot.kind in ("text", "name")]
        if is_open and words and not named and (names := [slot for slot in free if slot.kind == "name"] or free[:1]):
            found += [(names[0], value_of(names[0].kind, words, self.today))]
        return [(slot, value) for slot, value in found if value]

    def _spot(self, said: str) -> None:
        for slot in self.slots:
            if slot.label not in self.values and (value := spotted(slot.kind, said, self.today)):
                self.values[slot.label] = value

    def _go_on(self) -> str:
        self.tries = 0
        if (slot := self.slot) is not None:
            self.stage = Stage.ASKING
            return slot.ask
        self.stage = Stage.CONFIRMING
        said_back = "; ".join(f"{slot.label}: {self.values[slot.label].rstrip('.,')}" for slot in self.slots)
        return f"I have {said_back}. Is that right?"


def _corrects(said: str) -> bool:
    return _CORRECTS.match(said) is not None


def _behind(label: str, words: str) -> str:
    """What follows the name of a slot: "the day is Friday"."""
    _, found, rest = words.lower().partition(label.lower())
    if not found:
        return words
    kept = words[-len(rest) :].strip() if rest else ""
    return re.sub(r"^(?:is|should be|to|as|'s)\s+", "", kept, flags=re.IGNORECASE)
