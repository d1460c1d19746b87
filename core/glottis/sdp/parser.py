"""The strict parser of session descriptions, RFC 8866 §9: what is not in the grammar is refused, with its line."""

import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from glottis.contracts.errors import Malformed
from glottis.sdp.description import TOKEN, Attribute, MediaDescription, Origin, SessionDescription

MAX_SIZE: Final = 64 * 1024
"""UTF-8 bytes: as much as a signaling message may have. A browser's offer has 1–10 KiB."""

MAX_LINES: Final = 2000
"""A browser's offer has up to about 100 lines per section."""

MAX_MEDIA_SECTIONS: Final = 32
"""A voice call has two or three. Stopped sections stay in a renegotiated description, hence the reserve."""

# Which lines may follow a line, RFC 8866 §5 and §9; the empty key is the beginning. The same letters mean other
# things once an m= line has been seen.
_SESSION_ORDER: Final = {
    "": "v", "v": "o", "o": "s", "s": "iuepcbt", "i": "uepcbt", "u": "epcbt", "e": "epcbt", "p": "pcbt",
    "c": "bt", "b": "bt", "t": "trzkam", "r": "trzkam", "z": "tkam", "k": "am", "a": "am",
}  # fmt: skip
_MEDIA_ORDER: Final = {"m": "icbkam", "i": "cbkam", "c": "bkam", "b": "bkam", "k": "am", "a": "am"}

_LINE = re.compile(r"([a-z])=([^\0\r\n]+)")

# Of every type of line: its grammar, and how a message names what was expected.
_GRAMMAR: Final = {
    "v": (r"0", "0"),
    "o": (rf"(\S+) ([0-9]{{1,20}}) ([0-9]{{1,20}}) ({TOKEN}) ({TOKEN}) (\S+)", "name, two numbers, IN, IP4, address"),
    "c": (rf"{TOKEN} {TOKEN} \S+", "network type, address type, address"),
    "b": (rf"{TOKEN}:[0-9]{{1,10}}", "bandwidth type, colon, number"),
    "t": (r"[0-9]{1,20} [0-9]{1,20}", "two numbers"),
    "m": (
        rf"({TOKEN}) ([0-9]{{1,5}})(?:/([1-9][0-9]{{0,4}}))? ({TOKEN}(?:/{TOKEN})*) ({TOKEN}(?: {TOKEN})*)",
        "media, port, protocol, formats",
    ),
    "a": (rf"({TOKEN})(?::(.+))?", "a name, or name, colon, value"),
}
_ANY = re.compile(r".+", re.DOTALL)
_PATTERNS: Final = {kind: re.compile(pattern, re.DOTALL | re.ASCII) for kind, (pattern, _) in _GRAMMAR.items()}


class _Line(NamedTuple):
    number: int
    kind: str
    fields: Sequence[str]
    """What the groups of the line's grammar matched; empty where one did not take part."""
    value: str


def parse_session_description_untrusted(text: str) -> SessionDescription:
    """Read a description with CRLF or LF line ends (RFC 8866 §5); raises ``Malformed`` naming the line.

    Unknown attributes are kept. Nothing is read into the values of attributes: ``glottis.sdp.attributes`` does that.
    """
    lines = list(_parsed(_split(text)))
    starts = [index for index, line in enumerate(lines) if line.kind == "m"]
    if len(starts) > MAX_MEDIA_SECTIONS:
        raise Malformed(f"expected at most {MAX_MEDIA_SECTIONS} media sections")
    bounds = [*starts, len(lines)]
    session = lines[: bounds[0]]
    return SessionDescription(
        origin=_origin(session[1]),
        name=session[2].value,
        connection=next(_values(session, "c"), None),
        bandwidths=tuple(_values(session, "b")),
        attributes=_attributes(session),
        media=tuple(_media(lines[start:end]) for start, end in zip(starts, bounds[1:], strict=True)),
    )


def _split(text: str) -> list[str]:
    """The lines, without their ends."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise Malformed("expected text that UTF-8 can encode") from None
    if size > MAX_SIZE:
        raise Malformed(f"expected at most {MAX_SIZE} bytes")
    # Not splitlines(), which also splits at U+2028 and others that RFC 8866 allows within a line.
    *lines, rest = text.split("\n")
    if len(lines) > MAX_LINES:
        raise Malformed(f"expected at most {MAX_LINES} lines")
    if rest or not lines:
        raise Malformed(f"line {len(lines) + 1}: expected CRLF at the end of every line")
    return [line.removesuffix("\r") for line in lines]


def _parsed(lines: Sequence[str]) -> Iterator[_Line]:
    """The lines in their prescribed order, each matched with its grammar."""
    order, previous = _SESSION_ORDER, ""
    for number, text in enumerate(lines, 1):
        line = _LINE.fullmatch(text)
        if line is None:
            raise Malformed(f"line {number}: expected a letter, =, and a value")
        kind, value = line.groups()
        if kind not in order[previous]:
            raise Malformed(f"line {number}: expected {_one_of(order[previous])}")
        order, previous = (_MEDIA_ORDER if kind == "m" else order), kind
        yield _Line(number, kind, _fields(number, kind, value), value)
    if "a" not in order[previous]:
        raise Malformed(f"line {len(lines) + 1}: expected {_one_of(order[previous])}")


def _fields(number: int, kind: str, value: str) -> Sequence[str]:
    match = _PATTERNS.get(kind, _ANY).fullmatch(value)
    if match is None:
        raise Malformed(f"line {number}: after {kind}= expected {_GRAMMAR[kind][1]}")
    return match.groups(default="")


def _one_of(kinds: str) -> str:
    return " or ".join(f"{kind}=" for kind in kinds)


def _values(lines: Sequence[_Line], kind: str) -> Iterator[str]:
    return (line.value for line in lines if line.kind == kind)


def _origin(line: _Line) -> Origin:
    username, session_id, session_version, *address = line.fields
    return Origin(int(session_id), int(session_version), username, *address)


def _attributes(lines: Sequence[_Line]) -> tuple[Attribute, ...]:
    return tuple(Attribute(line.fields[0], line.fields[1] or None, line.number) for line in lines if line.kind == "a")


def _media(lines: Sequence[_Line]) -> MediaDescription:
    media, port, port_count, protocol, formats = lines[0].fields
    if int(port) > 65535:
        raise Malformed(f"line {lines[0].number}: expected a port of 0–65535")
    return MediaDescription(
        media=media,
        port=int(port),
        protocol=protocol,
        formats=tuple(formats.split(" ")),
        attributes=_attributes(lines),
        port_count=int(port_count) if port_count else None,
        connection=next(_values(lines, "c"), None),
        bandwidths=tuple(_values(lines, "b")),
    )
