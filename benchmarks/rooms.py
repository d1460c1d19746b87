"""Which room of the house a sampled stack was in."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

IDLE: Final = "idle"
ELSEWHERE: Final = "elsewhere"
_PACKAGES: Final = r".*/(?:core|site-packages|codecs/\w+|plugins/[\w-]+)/"
_ROOMS: Final = (
    (re.compile(_PACKAGES + r"glottis_(?:opus|spandsp)/"), "codec"),
    (re.compile(_PACKAGES + r"glottis_\w+/"), "agent"),
    (re.compile(_PACKAGES + r"glottis/server/(http|sessions|api|runtime)/"), r"server/\1"),
    (re.compile(_PACKAGES + r"glottis/(\w+)"), r"\1"),
    (re.compile(_PACKAGES + r"(?:trio|outcome)/"), "trio"),
)
"""Paths of modules. What is in none of them works for who calls it: OpenSSL for dtls, libsrtp for rtp."""
_FRAME: Final = re.compile(r"(?P<function>.+) \((?P<path>[^()]*?)(?::\d+)?\)")


@dataclass(frozen=True, slots=True)
class Frame:
    """A function on the stack."""

    function: str
    room: str | None
    """None for what is in no room of its own."""


Stack = tuple[Frame, ...]
"""The outermost function first."""

_MAIN_THREAD: Final = "MainThread"
_WAITING: Final = re.compile(r"\S*\bget_events \(\S*/trio/_core/_io_\w+\.py(?::\d+)?\)")
"""Where trio waits for sockets and time."""


def parse_stacks(text: str) -> Counter[Stack]:
    """How often each stack of the main thread was seen, idle ones too.

    Of lines of ``thread (number): name;function (path:line);… count``, as py-spy writes with ``--threads``.
    """
    stacks: Counter[Stack] = Counter()
    for line in text.splitlines():
        names, _, count = line.rpartition(" ")
        thread, *frames = names.split(";")
        if thread.endswith(_MAIN_THREAD):
            stacks[tuple(map(_parse_frame, frames))] += int(count)
    return stacks


def _parse_frame(text: str) -> Frame:
    if _WAITING.fullmatch(text):
        return Frame(IDLE, IDLE)
    if match := _FRAME.fullmatch(text):
        return Frame(match["function"], room_of_path(match["path"]))
    return Frame(text, None)


def room_of_path(path: str) -> str | None:
    """The room that this module is in, if it is in one."""
    for pattern, room in _ROOMS:
        if match := pattern.match(path):
            return match.expand(room)
    return None


def room_of_stack(stack: Stack) -> str:
    """That of the innermost function that is in one."""
    return next((frame.room for frame in reversed(stack) if frame.room), ELSEWHERE)


def shares(stacks: Mapping[Stack, int]) -> dict[str, float]:
    """The share (0–1) of each room in all samples, the largest first, and idle time last."""
    rooms: Counter[str] = Counter({IDLE: 0})
    for stack, count in stacks.items():
        rooms[room_of_stack(stack)] += count
    samples = max(1, rooms.total())
    idle = rooms.pop(IDLE)
    return {room: count / samples for room, count in [*rooms.most_common(), (IDLE, idle)]}
