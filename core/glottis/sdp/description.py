"""Session descriptions as values, and how they are written: RFC 8866.

Lines that WebRTC gives no meaning to (``i= u= e= p= t= r= z= k=``, RFC 9429 §5.8) have no place here: ``t=0 0`` is
written.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import msgspec

TOKEN: Final = r"[!#$%&'*+\-.0-9A-Z^_`a-z{|}~]+"  # noqa: S105 - a token of grammar, no secret
"""The characters of names, RFC 8866 §9."""

UNSPECIFIED_CONNECTION: Final = "IN IP4 0.0.0.0"
"""ICE finds the addresses; this and port 9 say that the ``c=`` line does not, RFC 8840 §4.1.1."""

DISCARD_PORT: Final = 9

_ATTRIBUTE_NAME: Final = re.compile(TOKEN)
_ATTRIBUTE_VALUE: Final = re.compile(r"[^\0\r\n]*")


@dataclass(slots=True, unsafe_hash=True)
class Attribute:
    """An ``a=`` line; a property attribute has no value. ``str()`` raises ``ValueError`` for what is no such line.

    Nobody changes one. It is not frozen, nor looked at when it is made, because an offer has hundreds.
    """

    name: str
    value: str = ""
    line: int | None = field(default=None, compare=False, repr=False)
    """Where it was read, counted from 1; for messages only."""
    reading: tuple[object, object] | None = field(default=None, init=False, compare=False, repr=False)
    """Who has read the value last, and what it means: it is read again and again, by who refuses and by who uses it."""

    def __str__(self) -> str:
        if not _ATTRIBUTE_NAME.fullmatch(self.name):
            raise ValueError("the name of an attribute is a token")
        if not _ATTRIBUTE_VALUE.fullmatch(self.value):
            raise ValueError("the value of an attribute has no line ends")
        return f"a={self.name}:{self.value}" if self.value else f"a={self.name}"


class Body(NamedTuple):
    """What a section says of its media: the formats of its ``m=`` line, and attributes."""

    formats: tuple[str, ...]
    attributes: tuple[Attribute, ...]


class Origin(msgspec.Struct, frozen=True):
    """The ``o=`` line, RFC 8866 §5.2. The address tells nothing, lest it leak one (RFC 9429 §5.2.1)."""

    session_id: int
    session_version: int
    username: str = "-"
    network_type: str = "IN"
    address_type: str = "IP4"
    address: str = "0.0.0.0"  # noqa: S104 - says nothing, binds nothing

    def __str__(self) -> str:
        words = (self.username, self.session_id, self.session_version)
        return "o=" + " ".join(map(str, (*words, self.network_type, self.address_type, self.address)))


class MediaDescription(msgspec.Struct, frozen=True):
    """A media section: its ``m=`` line and what follows up to the next, RFC 8866 §5.14."""

    media: str
    port: int
    protocol: str
    formats: tuple[str, ...]
    attributes: tuple[Attribute, ...] = ()
    port_count: int | None = None
    connection: str | None = None
    bandwidths: tuple[str, ...] = ()
    """The ``b=`` lines, such as ``AS:64``."""

    def __str__(self) -> str:
        return _text(self._lines())

    def _lines(self) -> Iterator[str]:
        port = f"{self.port}" if self.port_count is None else f"{self.port}/{self.port_count}"
        yield " ".join((f"m={self.media}", port, self.protocol, *self.formats))
        yield from _common_lines(self.connection, self.bandwidths)
        yield from map(str, self.attributes)


@dataclass(frozen=True, slots=True)
class SessionDescription:
    """A whole description; ``str()`` writes it with CRLF after every line, the last one included."""

    origin: Origin
    attributes: tuple[Attribute, ...] = ()
    media: tuple[MediaDescription, ...] = ()
    name: str = "-"
    connection: str | None = None
    bandwidths: tuple[str, ...] = ()
    skipped: tuple[str, ...] = field(default=(), compare=False, repr=False)
    """What was expected of the lines that could not be read, a phrase for each; for messages only."""

    def __str__(self) -> str:
        return _text(self._lines()) + "".join(map(str, self.media))

    def _lines(self) -> Iterator[str]:
        yield "v=0"
        yield str(self.origin)
        yield f"s={self.name}"
        yield from _common_lines(self.connection, self.bandwidths)
        yield "t=0 0"
        yield from map(str, self.attributes)


def _common_lines(connection: str | None, bandwidths: Iterable[str]) -> Iterator[str]:
    if connection is not None:
        yield f"c={connection}"
    yield from (f"b={bandwidth}" for bandwidth in bandwidths)


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\r\n" for line in lines)
