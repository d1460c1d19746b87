"""What an untrusted byte costs: each function that reads some, with the costliest inputs that are known."""

import ast
import random
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from glottis.contracts.errors import GlottisError
from glottis.testing.peers import VirtualCall
from support.cost import OPERATIONS_PER_MS, operations
from support.installed import installed_plugins
from support.worst import Row, audio, call_files, captures, datagrams, fleet, offers, services, texts, workers

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
SOURCES = [
    path
    for pattern in ("core/glottis", "plugins/*/glottis_*", "codecs/*/glottis_*")
    for room in sorted(ROOT.glob(pattern))
    for path in sorted(room.rglob("*.py"))
]
ROWS = (
    *datagrams.ROWS,
    *texts.ROWS,
    *offers.ROWS,
    *audio.ROWS,
    *workers.ROWS,
    *services.ROWS,
    *fleet.ROWS,
    *captures.ROWS,
    *call_files.ROWS,
)
PCMU = installed_plugins().codecs.find("PCMU").spec
Function = ast.FunctionDef | ast.AsyncFunctionDef
GRAIN = OPERATIONS_PER_MS // 10
"""What inputs of units may cost more than twice as much, of which a half has less than half as many."""

SEARCHED = 40
"""Inputs that the search tries of each function that reads bytes."""

ELSEWHERE = {"core/glottis/sctp": "tests/sctp"}
"""Rooms whose functions have tests of their costs elsewhere, by what they hold rather than by what they are given."""


def call(row: Row, arguments: tuple[Any, ...]) -> None:
    with suppress(GlottisError):
        row.function(*arguments)


@pytest.mark.parametrize(
    ("row", "kind"),
    [pytest.param(row, kind, id=f"{row.function.__name__}-{kind}") for row in ROWS for kind in row.inputs],
)
def test_the_costliest_inputs_cost_little_and_half_of_one_costs_half(row: Row, kind: str) -> None:
    """Shorter ones too: limits of numbers let pass what is refused when it is longest."""
    cost, *shorter = (operations(call, row, row.inputs[kind](row.longest // part)) for part in (1, 2, 4, 8))
    assert max(cost, *shorter) <= row.milliseconds * OPERATIONS_PER_MS
    assert cost <= 2.2 * shorter[0] + GRAIN


def test_no_input_costs_much_that_a_search_finds() -> None:
    """The costliest of each function, mutated and spliced; what costs more than its parents goes on."""
    rng = random.Random(8)
    for row in datagrams.ROWS:
        arguments = [make(row.longest // 4) for make in row.inputs.values()]
        pool = [data for data, *others in arguments if data and isinstance(data, bytes) and not others]
        limit = row.milliseconds * OPERATIONS_PER_MS / 4 + GRAIN
        best = max((operations(call, row, (data,)) for data in pool), default=0)
        for _ in range(SEARCHED if len(pool) > 1 else 0):
            child = mutated(rng.choice(pool), rng.choice(pool), rng)[: row.longest // 4]
            cost = operations(call, row, (child,))
            if cost > best:
                best = cost
                pool.append(child)
            assert cost <= limit, (row.function.__name__, child.hex())


def mutated(data: bytes, other: bytes, rng: random.Random) -> bytes:
    """A piece of one in the other, repeated; and a byte changed to one that parsers mind."""
    start = rng.randrange(len(data) + 1)
    piece = other[(at := rng.randrange(len(other))) : at + rng.choice((1, 2, 4, 12, 64))] * rng.choice((1, 1, 8, 64))
    child = bytearray(data[:start] + piece + data[start + rng.choice((0, len(piece))) :])
    child[rng.randrange(len(child))] = rng.choice((0, 1, 0x1F, 0x80, 0x9F, 0xFF))
    return bytes(child)


def test_each_function_that_reads_untrusted_bytes_has_a_row() -> None:
    """It is entered by what a row is about, or while a call is negotiated and heard."""
    entered = functions_entered()
    missing = {
        place for place in untrusted_functions() if place not in entered and not place.startswith(tuple(ELSEWHERE))
    }
    assert missing == set()


def untrusted_functions() -> Iterator[str]:
    """Those that do something: as file, line and name."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, Function) and node.name.endswith("_untrusted") and not is_stub(node):
                yield place(path.relative_to(ROOT), node.lineno, node.name)


def is_stub(function: Function) -> bool:
    """Of a protocol: with a docstring at most."""
    return all(isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant) for line in function.body)


def place(path: Path, line: int, name: str) -> str:
    return f"{path}:{line}: {name}"


def functions_entered() -> set[str]:
    entered: set[str] = set()

    def note(frame: FrameType, event: str, argument: object) -> None:
        code = frame.f_code
        if event == "call" and code.co_name.endswith("_untrusted"):
            entered.add(place(Path(code.co_filename).relative_to(ROOT), code.co_firstlineno, code.co_name))

    profiler = sys.getprofile()
    sys.setprofile(note)
    try:
        for row in ROWS:
            for make in row.inputs.values():
                call(row, make(min(row.longest, 1200)))
        hold_a_call()
    finally:
        sys.setprofile(profiler)
    return entered


def hold_a_call() -> None:
    """Of audio and data, with a candidate that is trickled."""
    virtual = VirtualCall([PCMU])
    virtual.gateway.connection.voice.taps.incoming = lambda kind, data, now: None
    assert virtual.connect()
    for peer in (virtual.caller, virtual.gateway):
        peer.start_media(virtual.network.now)
    virtual.caller.connection.voice.write(bytes(32_000))
    virtual.caller.connection.remote_candidates.add_untrusted(
        "candidate:1 1 udp 1 192.0.2.9 1 typ host", mid=None, media_index=0, username_fragment=None, now=0.0
    )
    virtual.network.run(seconds=3.0)
