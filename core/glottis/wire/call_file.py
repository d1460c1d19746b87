"""Files of calls (``.glottis``): what came in of a call, entry by entry, and what has become of it.

A file begins with ``MAGIC``, whose last digit is the version. Each entry is a byte for its kind, a double for its time
in seconds since the file's own zero, and the number of bytes that follow, all little-endian. Nothing refers to what
comes later: so a file that breaks off is whole up to its last entry.
"""

import struct
from collections.abc import Iterator
from enum import IntEnum
from typing import Final, NamedTuple

import msgspec

from glottis.contracts.call import BytesMessage, Message
from glottis.contracts.errors import Malformed
from glottis.contracts.events import OtherEvent

MAGIC: Final = b"glottis call 1\n"
SUFFIX: Final = ".glottis"
MAX_BYTES: Final = 256 << 20
MAX_CONTENT: Final = 1 << 20
"""Bytes of an entry."""
MAX_SECONDS: Final = 86_400.0

_HEAD: Final = struct.Struct("<BdI")


class Kind(IntEnum):
    """Of an entry. Those that a reader does not know are passed over."""

    ABOUT = 1
    """JSON: the campaign, the versions, and what of a call is in the file."""
    NEGOTIATED = 2
    """JSON: formats and directions, and how this side hears."""
    KEYS = 3
    """From now on packets can be read."""
    RTP = 4
    RTCP = 5
    TICK = 6
    """A media tick."""
    TEXT = 7
    """JSON of a message of the caller."""
    BYTES = 8
    """The same, binary."""
    SAID = 9
    """A packet of the agent's voice has left; its milliseconds, as a number."""
    WROTE = 10
    """A message of the agent."""
    EVENT = 11
    """JSON of an event."""
    DROPPED = 12
    """So many entries are missing here, as a number: the disk was too slow."""
    ENDED = 13
    """JSON: the reason and the statistics."""


class Entry(NamedTuple):
    """``at`` in seconds since the file's zero."""

    kind: Kind
    at: float
    content: bytes


class CallFile(NamedTuple):
    """What is in a file, in its order."""

    entries: list[Entry]
    is_whole: bool
    """Whether it does not break off within an entry."""


def encode_entry(entry: Entry) -> bytes:
    """To be appended."""
    return _HEAD.pack(entry.kind, entry.at, len(entry.content)) + entry.content


def parse_call_file_untrusted(data: bytes) -> CallFile:
    """Raises ``Malformed`` for what is no such file, or not of this version."""
    if len(data) > MAX_BYTES:
        raise Malformed(f"call file: expected {MAX_BYTES >> 20} MiB at most")
    if not data.startswith(MAGIC):
        known = MAGIC[:-2].decode()
        what = "another version" if data.startswith(MAGIC[:-2]) else f"no file that begins with {known!r}"
        raise Malformed(f"call file: expected version {MAGIC[-2:-1].decode()}, this is {what}")
    entries, end = [], len(MAGIC)
    for entry, after in _entries_untrusted(data, end):
        end = after
        if entry is not None:
            entries.append(entry)
    return CallFile(entries, end == len(data))


def _entries_untrusted(data: bytes, start: int) -> Iterator[tuple[Entry | None, int]]:
    """Each with where it ends; None for one of an unknown kind."""
    while start + _HEAD.size <= len(data):
        kind, at, length = _HEAD.unpack_from(data, start)
        if length > MAX_CONTENT:
            raise Malformed(f"call file: an entry of {length} bytes at {start}")
        if not abs(at) <= MAX_SECONDS:
            raise Malformed(f"call file: a time of {at} s at {start}")
        content = start + _HEAD.size
        if content + length > len(data):
            return
        start = content + length
        yield (Entry(Kind(kind), at, data[content:start]) if kind in _KINDS else None), start


_KINDS: Final = frozenset(map(int, Kind))


def message_content(message: Message) -> bytes:
    """Of ``WROTE``: a text as it is; of bytes, how many."""
    if isinstance(message, BytesMessage):
        return msgspec.json.encode({"bytes": len(message.data), "channel": message.channel})
    return message.text.encode()


def event_content(event: OtherEvent) -> bytes:
    """Of ``EVENT``."""
    return msgspec.json.encode({"name": event.name, "data": event.data}, order="sorted")
