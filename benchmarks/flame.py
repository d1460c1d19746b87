"""A flame graph as SVG: each function as wide as the time in it and in what it calls, in the colour of its room."""

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final
from xml.sax.saxutils import escape

from benchmarks.rooms import ELSEWHERE, IDLE, Stack, room_of_stack

WIDTH: Final = 1600
ROW: Final = 17
CHARACTER: Final = 6.6
"""The width of one, at the size of the font."""
THINNEST: Final = 0.5
"""What is thinner is not drawn."""
_ROOMS: Final = ("codec", "rtp", "media", "trio", "calls", "peer", "ice", "wire", "dtls", "sctp", "agent")
_GOLDEN_ANGLE: Final = 137.5
"""Degrees: hues that follow each other at this distance are spread evenly, however many there are."""


@dataclass(slots=True)
class Node:
    """A function where it is called from the same ones."""

    function: str
    room: str
    count: int = 0
    callees: dict[str, "Node"] = field(default_factory=dict)

    @property
    def depth(self) -> int:
        """Of the deepest stack."""
        return 1 + max((callee.depth for callee in self.callees.values()), default=0)


def tree(stacks: Mapping[Stack, int]) -> Node:
    """All stacks, joined where they begin alike."""
    root = Node("all", ELSEWHERE, sum(stacks.values()))
    for stack, count in stacks.items():
        node = root
        for depth, frame in enumerate(stack, 1):
            room = room_of_stack(stack[:depth])
            node = node.callees.setdefault(f"{frame.function} {room}", Node(frame.function, room))
            node.count += count
    return root


def render(title: str, root: Node, shares: Mapping[str, float]) -> str:
    """The picture, with the rooms and their shares above it; a function's name and share are shown where one points."""
    rows = root.depth
    legend = list(_legend(shares))
    top = 40 + ROW * ((len(legend) + 3) // 4)
    height = top + ROW * rows + 10
    boxes = _boxes(root, 0.0, 0, WIDTH / max(1, root.count), root.count)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"',
        '     font-family="monospace" font-size="11">',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        f'<text x="8" y="20" font-size="14">{escape(title)}</text>',
        *legend,
        f'<g transform="translate(0 {top})">',
        *boxes,
        "</g>",
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _legend(shares: Mapping[str, float]) -> Iterator[str]:
    for number, (room, share) in enumerate(shares.items()):
        x, y = 8 + number % 4 * WIDTH // 4, 36 + number // 4 * ROW
        yield (
            f'<rect x="{x}" y="{y - 10}" width="12" height="12" fill="{colour(room)}"/>'
            f'<text x="{x + 18}" y="{y}">{escape(room)} {share:.1%}</text>'
        )


def _boxes(node: Node, x: float, depth: int, scale: float, samples: int) -> Iterator[str]:
    width = node.count * scale
    if width < THINNEST:
        return
    label = node.function[: max(0, int(width / CHARACTER) - 1)]
    y = depth * ROW
    yield (
        f"<g><title>{escape(node.function)} ({escape(node.room)}): {node.count / max(1, samples):.2%}</title>"
        f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{ROW - 1}" fill="{colour(node.room)}"/>'
        f'<text x="{x + 3:.1f}" y="{y + 12}">{escape(label)}</text></g>'
    )
    for callee in sorted(node.callees.values(), key=lambda one: (one.room, one.function)):
        yield from _boxes(callee, x, depth + 1, scale, samples)
        x += callee.count * scale


def colour(room: str) -> str:
    """Always the same for a room; those in which most of the time is spent differ most."""
    if room in (IDLE, ELSEWHERE):
        return "#e4e4e4"
    if room in _ROOMS:
        return f"hsl({_ROOMS.index(room) * _GOLDEN_ANGLE % 360:.0f} 65% 75%)"
    return f"hsl({zlib.crc32(room.encode()) % 360} 35% 80%)"
