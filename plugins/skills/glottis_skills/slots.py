"""What a form asks for, by kinds: each finds its value in what a caller says."""

import re
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Final, Literal

from glottis_conversation.sentences import words_of

from glottis_skills.numbers import in_figures, number_at, numbers_of, tokens_of
from glottis_skills.phrases import mentions, plain

Kind = Literal["text", "name", "number", "date", "time", "phone"]
MAX_VALUE: Final = 500
"""Characters."""

_WEEKDAYS: Final = words_of("monday tuesday wednesday thursday friday saturday sunday")
_MONTHS: Final = words_of("january february march april may june july august september october november december")
_ORDINALS: Final = {
    word: at
    for at, word in enumerate(
        words_of(
            "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth "
            "fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth twenty-first twenty-"
            "second twenty-third twenty-fourth twenty-fifth twenty-sixth twenty-seventh twenty-eighth twenty-"
            "ninth thirtieth thirty-first"
        ),
        start=1,
    )
}
_DAY: Final = (
    r"(?P<day>\d{1,2})(?:st|nd|rd|th)?|(?P<ordinal>"
    + "|".join(sorted(_ORDINALS, key=len, reverse=True)).replace("-", "[- ]")
    + ")"
)
_MONTH: Final = f"(?P<month>{'|'.join(_MONTHS)})"
_DIGITS: Final = {
    word: str(at) for at, word in enumerate(words_of("zero one two three four five six seven eight nine"))
} | {"oh": "0", "o": "0"}
_TIMES: Final = {"double": 2, "triple": 3}
_COUNT: Final = r"\d{1,4}|a couple|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty"
_LEADS: Final = re.compile(
    r"^(?:(?:my|the|his|her) name(?:'s| is)|(?:this|it|that) is|(?:it|that)'s|i am|i'm|call me|mister|misses|just|the"
    r"|for|yes|um|uh|well|hello|hi|please|it should be|make it|make that)[\s,]+",
    re.IGNORECASE,
)


def value_of(kind: Kind, said: str, today: date) -> str | None:
    """The value in a caller's answer to a question for one of this kind; None where there is none."""
    return _FINDERS[kind](said, today)


def is_all_of(kind: Kind, said: str) -> bool:
    """Whether nothing else was said that may be a part of it, misheard: only of a telephone number one can tell."""
    words = re.findall(r"[a-z]+", said.lower())
    digits = [at for at, word in enumerate(words) if word in _DIGITS or word in _TIMES or number_at(words, at)]
    if kind != "phone" or not digits:
        return True
    return digits[0] == 0 and digits[-1] - digits[0] == len(digits) - 1


def spotted(kind: Kind, said: str, today: date) -> str | None:
    """The value in words about other things, too: only what can be nothing else."""
    if kind == "date":
        return _date(said, today)
    if kind == "time":
        return _time(said, today) if _is_surely_time(said) else None
    if kind == "number" and (
        found := mentions(said, rf"(?:{_COUNT}) (?:people|persons|guests|of us|seats|pieces|nights)")
    ):
        return _number(found[0], today)
    if kind == "number" and (found := mentions(said, rf"for (?:{_COUNT})(?! (?:o'clock|am|pm|a\.?m|p\.?m))")):
        return _number(found[0], today)
    return None


def _text(said: str, today: date) -> str | None:
    return re.sub(r",? please\b\W*$", "", said.strip()[:MAX_VALUE]) or None


def _name(said: str, today: date) -> str | None:
    name = said.strip().strip(".!?, ")
    while (shorter := _LEADS.sub("", name)) != name:
        name = shorter
    words = name[:80].split()[:6]
    return " ".join(word[:1].upper() + word[1:] for word in words) if words else None


def _number(said: str, today: date) -> str | None:
    found = numbers_of(said)
    if not found and mentions(said, "a couple"):
        return "2"
    return in_figures(found[0]) if found else None


def _phone(said: str, today: date) -> str | None:
    """Digits one by one or in groups, "double seven", and a plus."""
    digits, times, at = "+" if said.strip().startswith("+") or mentions(said, "plus") else "", 1, 0
    words = re.findall(r"\d+|[a-z]+", said[:MAX_VALUE].lower())
    while at < len(words):
        word, behind = words[at], at + 1
        if word in _TIMES:
            times = _TIMES[word]
        elif word.isdigit() or word in _DIGITS:
            digits += (word if word.isdigit() else _DIGITS[word]) * times
            times = 1
        elif (number := number_at(words, at)) is not None:  # "twenty three"
            digits, behind = digits + in_figures(number[0]), number[1]
        at = behind
    return digits[:20] if len(digits.lstrip("+")) >= 3 else None


def _date(said: str, today: date) -> str | None:
    """As it is said back: "Friday, 6 March"."""
    words = plain(said)
    for phrase, days in (("day after tomorrow", 2), ("tomorrow", 1), ("today", 0), ("tonight", 0)):
        if mentions(words, phrase):
            return _spoken(today + timedelta(days=days))
    if found := mentions(words, f"(?:{_DAY}) (?:of )?{_MONTH}", f"{_MONTH} (?:the )?(?:{_DAY})"):
        day = int(found["day"]) if found["day"] else _ORDINALS[found["ordinal"].replace(" ", "-")]
        return _day_of_month(day, _MONTHS.index(found["month"]) + 1, today)
    if found := mentions(words, rf"(?P<next>next )?(?P<weekday>{'|'.join(_WEEKDAYS)})s?"):
        days = (_WEEKDAYS.index(found["weekday"]) - today.weekday()) % 7 or 7
        return _spoken(today + timedelta(days=days))
    return None


def _day_of_month(day: int, month: int, today: date) -> str | None:
    try:
        found = date(today.year, month, day)
        return _spoken(found if found >= today else date(today.year + 1, month, day))
    except ValueError:  # the 31st of February, and the 29th of some
        return None


def _spoken(day: date) -> str:
    return f"{day:%A}, {day.day} {day:%B}"


def _time(said: str, today: date) -> str | None:
    """On 24 hours where it says which half of the day: "7 pm" is 19:00."""
    text = said.lower().replace("a.m", "am").replace("p.m", "pm")
    half = (
        "pm"
        if mentions(text, "pm", "evening", "afternoon", "tonight")
        else "am"
        if mentions(text, "am", "morning")
        else ""
    )
    marked = mentions(
        text, rf"(?:\d{{1,2}} |{_COUNT} ){{1,2}}(?:am|pm|o'clock)", rf"at (?:\d{{1,4}}|{_COUNT})(?: {_COUNT})?"
    )
    if mentions(text, "noon", "midday"):
        return "12:00"
    if mentions(text, "midnight"):
        return "0:00"
    if found := re.search(r"\b(\d{1,2})[:.](\d{2})\b", text):
        return _clock(int(found[1]), int(found[2]), half)
    tokens = [
        token
        for token in tokens_of(marked[0] if marked else text)
        if token not in ("-", "at", "around", "about", "o'clock")
    ]
    return _time_in_words(tokens, half)


def _time_in_words(tokens: list[str], half: str) -> str | None:
    for at in range(len(tokens)):
        offset = {"half": 30, "quarter": 15}.get(tokens[at])
        number = number_at(tokens, at) if offset is None else (Decimal(offset), at + 1)
        if number is None:
            continue
        minutes, behind = int(number[0]), number[1]
        if tokens[behind : behind + 1] in (["past"], ["to"]) and (hour := number_at(tokens, behind + 1)) is not None:
            past = tokens[behind] == "past"
            return _clock(int(hour[0]) - (not past), minutes if past else 60 - minutes, half)
        if offset is not None:
            continue
        if minutes > 24 and tokens[at] in _DIGITS:  # "seven thirty" was added up
            return _clock(int(_DIGITS[tokens[at]]), minutes - int(_DIGITS[tokens[at]]), half)
        if minutes > 99:  # "730", as some recognisers write it
            return _clock(minutes // 100, minutes % 100, half)
        return _clock(minutes, 0, half)
    return None


def _clock(hour: int, minute: int, half: str) -> str | None:
    if half == "pm" and hour < 12:
        hour += 12
    if half == "am" and hour == 12:
        hour = 0
    return f"{hour}:{minute:02d}" if 0 <= hour < 24 and 0 <= minute < 60 else None


def _is_surely_time(said: str) -> bool:
    return bool(
        mentions(
            said,
            "o'clock",
            "noon",
            "midday",
            "midnight",
            "am",
            "pm",
            "half past .{1,10}",
            "quarter (?:past|to) .{1,10}",
        )
        or re.search(r"\b\d{1,2}:\d{2}\b|[ap]\.m", said.lower())
        or mentions(said, rf"at (?:{_COUNT})(?: (?:thirty|fifteen|forty|twenty|ten))?(?: in the .{{1,10}})?")
    )


_FINDERS: Final[dict[Kind, Callable[[str, date], str | None]]] = {
    "text": _text,
    "name": _name,
    "number": _number,
    "date": _date,
    "time": _time,
    "phone": _phone,
}
