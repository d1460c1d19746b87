"""The parser of session descriptions, RFC 8866: strict in structure and bounds, tolerant in the rest.

The lines ``v= o= s= t= m=`` have to be there, in this order. Of the others, one that cannot be read is skipped and
noted. Whoever answers the description refuses by name what it then lacks.
"""

import re
import string
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from glottis.contracts.errors import Malformed
from glottis.sdp import attributes
from glottis.sdp.description import TOKEN, Attribute, MediaDescription, Origin, SessionDescription

MAX_SIZE: Final = 25 * 1024
"""UTF-8 bytes. A browser's offer has 1–3 KiB for audio and data; the longest that is known, with video, has 6.2."""

MAX_LINES: Final = 372
"""A browser's offer has about 30 lines for audio and 130 for video; the longest that is known has 185."""

MAX_MEDIA_SECTIONS: Final = 14
"""A voice call has two or three. Stopped sections stay in a renegotiated description, hence the reserve."""

MAX_LENGTH: Final = 1024
"""Characters of an ``m=`` line, and of the value of an attribute that is read. A browser's have up to about 200."""

MAX_FORMATS: Final = 50
"""Of an ``m=`` line. A browser's have 25 of video; twice as many have room."""

MAX_REPEATS: Final = 64
"""Attributes of one name that are read of the session, or of a section: as many as there are payload types."""

MAX_FINGERPRINTS: Final = 8
"""The same of these, which take longest to be read. Peers have one, or one of each hash function."""

MAX_READ: Final = 180
"""Attributes whose value is read, of the whole description. The longest offer that is known has 92."""

MAX_PARAMETERS: Final = 80
"""Of all payload types together. The longest offer that is known has 38."""

SKIPPABLE: Final[Mapping[str, Callable[[str], object]]] = {
    "fingerprint": attributes.parse_fingerprint_untrusted,
    "fmtp": attributes.parse_fmtp_untrusted,
    "group": attributes.parse_group_untrusted,
    "max-message-size": attributes.parse_max_message_size_untrusted,
    "maxptime": attributes.parse_packet_time_untrusted,
    "mid": attributes.parse_mid_untrusted,
    "ptime": attributes.parse_packet_time_untrusted,
    "rtpmap": attributes.parse_rtpmap_untrusted,
    "sctp-port": attributes.parse_sctp_port_untrusted,
    "ssrc": attributes.parse_source_attribute_untrusted,
}
"""What has a default, or is one of several: a line with a value that cannot be read is as good as none.

The values of ``ice-ufrag``, ``ice-pwd`` and ``setup`` must be right; bad candidates are counted where they are read.
"""

READ: Final = frozenset((*SKIPPABLE, "candidate", "ice-options", "ice-pwd", "ice-ufrag", "setup"))
"""Those whose value somebody looks at."""

# Which of the lines that make the structure may follow which; the empty key is the beginning.
_STRUCTURE: Final = {"": "v", "v": "o", "o": "s", "s": "t", "t": "tm", "m": "m"}
_HEAD: Final = ("", "v", "o")
"""What the next line of the structure must follow at once."""

_NO_LINE: Final = "?"

# Of every type of line that is read: its grammar, and how a message names what was expected.
_GRAMMAR: Final = {
    "v": (r"0", "0"),
    "o": (
        rf"(\S+) (-?[0-9]{{1,20}}) (-?[0-9]{{1,20}}) ({TOKEN}) ({TOKEN}) (\S+)",
        "name, two numbers, IN, IP4, address",
    ),
    "c": (rf"({TOKEN} {TOKEN} \S+)", "network type, address type, address"),
    "b": (rf"({TOKEN}:[0-9]{{1,10}})", "bandwidth type, colon, number"),
    "m": (
        rf"({TOKEN}) ([0-9]{{1,5}})(?:/([1-9][0-9]{{0,4}}))? ({TOKEN}(?:/{TOKEN})*) ({TOKEN}(?: {TOKEN})*)",
        "media, port, protocol, formats",
    ),
}
_PATTERNS: Final = {kind: re.compile(pattern, re.DOTALL | re.ASCII) for kind, (pattern, _) in _GRAMMAR.items()}
_LINE: Final = re.compile(
    rf"""
    ^ [ \t\r]*
    (?: a= ({TOKEN}) (?: : ([^\r\n]* [^\r\n \t])? )? [ \t\r]* $  # an attribute: its name, and its value if it has one
    | ([^\n]*) )  # or what is none
    """,
    re.VERBOSE | re.MULTILINE,
)
_LETTERS: Final = frozenset(string.ascii_lowercase)
_LEFT_ALONE: Final = frozenset("stiueprzkm")
"""Their values are not looked at (RFC 9429 §5.8), or with the section."""


_Line = tuple[int, str, str]
"""Number, type and value of a line that is no attribute, or none that can be read."""


class _Part(NamedTuple):
    """What is said of the session, or of a section."""

    attributes: list[Attribute]
    lines: list[_Line]
    """The others."""


class _Left:
    """How much of a description may yet be read; below zero there was more."""

    def __init__(self) -> None:
        self.attributes = MAX_READ
        self.parameters = MAX_PARAMETERS


class _Content(NamedTuple):
    """What the session says as well as a section, by the type of line."""

    attributes: tuple[Attribute, ...]
    connection: str | None
    bandwidths: tuple[str, ...]
    skipped: tuple[str, ...]


def parse_session_description_untrusted(text: str) -> SessionDescription:
    """Read a description with CRLF or LF line ends (RFC 8866 §5); raises ``Malformed`` naming the line.

    Unknown attributes are kept. Those that ``glottis.sdp.attributes`` cannot read are left out, see ``SKIPPABLE``.
    """
    parts = _parts_untrusted(_lines_untrusted(text))
    version, origin, (_, _, name) = parts[0].lines[:3]
    _fields_untrusted(version)
    left = _Left()
    session, *sections = contents = [_content(part, left) for part in parts]
    if left.attributes < 0:
        raise Malformed(f"expected at most {MAX_READ} attributes that are read")
    return SessionDescription(
        origin=_origin(origin),
        name=name or "-",
        connection=session.connection,
        bandwidths=session.bandwidths,
        attributes=session.attributes,
        media=tuple(
            _media_untrusted(part.lines[0], content) for part, content in zip(parts[1:], sections, strict=True)
        ),
        skipped=tuple(message for content in contents for message in content.skipped),
    )


def _lines_untrusted(text: str) -> list[tuple[str, str, str]]:
    """All lines, as far as they are bounded: the name and value of an attribute, or what is none."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise Malformed("expected text that UTF-8 can encode") from None
    if size > MAX_SIZE:
        raise Malformed(f"expected at most {MAX_SIZE} bytes")
    if text.count("\n") > MAX_LINES:
        raise Malformed(f"expected at most {MAX_LINES} lines")
    # Not splitlines(), which also splits at U+2028 and others that RFC 8866 allows within a line.
    return _LINE.findall(text.replace("\0", "\0\r\0"))  # neither may stand in a line


def _parts_untrusted(lines: Sequence[tuple[str, str, str]]) -> list[_Part]:
    """The lines of the session, and of each section, without blanks around them; those that are blank are left out.

    Raises ``Malformed`` where they come in another order. Attributes, of which there are hundreds, are told first.
    """
    structure = _STRUCTURE
    part = _Part([], [])
    parts, add = [part], part.attributes.append
    previous, in_head = "", True
    for number, (name, value, other) in enumerate(lines, 1):
        if name and not in_head:
            add(Attribute(name, value, number))
            continue
        kind, value = ("a", name) if name else _letter_and_value(other)
        if not kind:
            continue
        if in_head or kind in structure:
            if kind not in structure[previous]:
                raise Malformed(f"line {number}: expected {_one_of(structure[previous])}")
            previous, in_head = kind, kind in _HEAD
            if kind == "m":
                parts.append(part := _Part([], []))
                add = part.attributes.append
        part.lines.append((number, kind, value))
    if "m" not in structure[previous]:
        last = max([0, *(number for number, *_ in part.lines), *(one.line or 0 for one in part.attributes)])
        raise Malformed(f"line {last + 1}: expected {_one_of(structure[previous])}")
    if len(parts) > MAX_MEDIA_SECTIONS + 1:
        raise Malformed(f"expected at most {MAX_MEDIA_SECTIONS} media sections")
    return parts


def _letter_and_value(line: str) -> tuple[str, str]:
    """Of a line that is no attribute; nothing of one that is blank."""
    line = line.rstrip(" \t\r")
    kind, equals, value = line.partition("=")
    if line and (not equals or kind not in _LETTERS or "\r" in line):
        return _NO_LINE, ""
    return kind, value


def _one_of(kinds: str) -> str:
    return " or ".join(f"{kind}=" for kind in kinds)


def _content(part: _Part, left: _Left) -> _Content:
    """What can be read, and what was skipped."""
    connections: list[str] = []
    bandwidths: list[str] = []
    skipped: list[str] = []
    attributes = _attributes(part.attributes, left, skipped)
    for line in part.lines:
        number, kind, _ = line
        try:
            if kind == "a":
                skipped.append(f"line {number}: after a= expected a name, or name, colon, value")
            elif kind == "c":
                connections += _fields_untrusted(line)
            elif kind == "b":
                bandwidths += _fields_untrusted(line)
            elif kind not in _LEFT_ALONE:
                _fields_untrusted(line)
        except Malformed as error:
            skipped.append(str(error))
    return _Content(attributes, next(iter(connections), None), tuple(bandwidths), tuple(skipped))


def _attributes(attributes: Sequence[Attribute], left: _Left, skipped: list[str]) -> tuple[Attribute, ...]:
    """Those that nobody looks at here, and those that can be read."""
    kept, dropped = [*attributes], list[int]()
    repeats = dict.fromkeys(READ, 0) | {"fingerprint": MAX_REPEATS - MAX_FINGERPRINTS}
    room = left.attributes
    for index, attribute in enumerate(attributes):
        name = attribute.name
        if name not in repeats:
            continue
        count = repeats[name]
        repeats[name] = count + 1
        try:
            if count < MAX_REPEATS:
                room -= 1
                if room >= 0:
                    _read_value_untrusted(attribute, left)
                    continue
            elif count == MAX_REPEATS:  # what follows is passed over in silence: there may be hundreds
                raise Malformed(f"line {attribute.line}: expected at most {_most(name)} times a={name}")
        except Malformed as error:
            skipped.append(str(error))
        dropped.append(index)
    for index in reversed(dropped):
        del kept[index]
    left.attributes = room
    return tuple(kept)


def _most(name: str) -> int:
    return MAX_FINGERPRINTS if name == "fingerprint" else MAX_REPEATS


def _fields_untrusted(line: _Line) -> Sequence[str]:
    """What the groups of the line's grammar match; empty where one does not take part."""
    number, kind, value = line
    if kind not in _GRAMMAR:
        raise Malformed(f"line {number}: expected a letter of RFC 8866, =, and a value")
    match = _PATTERNS[kind].fullmatch(value)
    if match is None:
        raise Malformed(f"line {number}: after {kind}= expected {_GRAMMAR[kind][1]}")
    return match.groups(default="")


def _read_value_untrusted(attribute: Attribute, left: _Left) -> None:
    """Of one of those that are read, and kept only if that can be done."""
    name, text = attribute.name, attribute.value
    if len(text) > MAX_LENGTH and name != "candidate":
        raise Malformed(f"line {attribute.line}: after a={name}: expected at most {MAX_LENGTH} characters")
    if name == "fmtp":
        left.parameters -= text.count(";") + 1
        if left.parameters < 0:
            raise Malformed(
                f"line {attribute.line}: after a={name}: expected at most {MAX_PARAMETERS} parameters in all"
            )
    if name in SKIPPABLE:
        attributes.read_attribute_untrusted(attribute, SKIPPABLE[name])


def _origin(line: _Line) -> Origin:
    """Nobody reads it, so one that cannot be read says nothing."""
    match = _PATTERNS["o"].fullmatch(line[2])
    if match is None:
        return Origin(0, 0)
    username, session_id, session_version, *address = match.groups()
    return Origin(int(session_id), int(session_version), username, *address)


def _media_untrusted(line: _Line, content: _Content) -> MediaDescription:
    number, _, value = line
    if len(value) > MAX_LENGTH:
        raise Malformed(f"line {number}: expected at most {MAX_LENGTH} characters")
    media, port, port_count, protocol, formats = _fields_untrusted(line)
    if formats.count(" ") >= MAX_FORMATS:
        raise Malformed(f"line {number}: expected at most {MAX_FORMATS} formats")
    if int(port) > 65535:
        raise Malformed(f"line {number}: expected a port of 0–65535")
    return MediaDescription(
        media=media,
        port=int(port),
        protocol=protocol,
        formats=tuple(formats.split(" ")),
        attributes=content.attributes,
        port_count=int(port_count) if port_count else None,
        connection=content.connection,
        bandwidths=content.bandwidths,
    )
