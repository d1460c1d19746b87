"""Untrusted bytes enter by name: what raises ``Malformed``, or lets it through, ends in ``_untrusted``."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CORE = ROOT / "core" / "glottis"
ROOMS = [
    CORE / room for room in ("contracts", "wire", "sdp", "ice", "turn", "dtls", "sctp", "signaling", "server/http")
]
ROOMS += [room for pattern in ("plugins/*/glottis_*", "codecs/*/glottis_*") for room in sorted(ROOT.glob(pattern))]
ERRORS = {"Malformed", "Rejected"}
CAUGHT_BY = ERRORS | {"RemoteError", "GlottisError", "Exception"}
READS_ITS_OWN = {"core/glottis/dtls/connection.py: take_records", "core/glottis/dtls/flight.py: _place"}
"""These parse what OpenSSL wrote on this side."""
CONTRACT = {"decode"}
"""Codecs have a function of this name, which raises ``Malformed``: see ``contracts/codec.py``."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def names_in(node: ast.AST | None) -> set[str]:
    return set() if node is None else {name.id for name in ast.walk(node) if isinstance(name, ast.Name)}


def leaks(node: ast.AST) -> Iterator[ast.AST]:
    """The statements and calls in a node whose ``Malformed`` leaves it."""
    if isinstance(node, ast.Try) and any(CAUGHT_BY & names_in(handler.type) for handler in node.handlers):
        children: list[ast.AST] = [*node.handlers, *node.orelse, *node.finalbody]
    else:
        children = list(ast.iter_child_nodes(node))
    if isinstance(node, ast.Raise) and ERRORS & names_in(node.exc):
        yield node
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("_untrusted"):
        yield node
    for child in children:
        if not isinstance(child, Function):
            yield from leaks(child)


def unnamed(source: str) -> list[str]:
    """The functions of a module that let ``Malformed`` out, but do not say so by their names."""
    functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, Function)]
    return [node.name for node in functions if any(leaks(node)) and not node.name.endswith("_untrusted")]


def named_by_contract(room: Path) -> set[str]:
    return CONTRACT if room.is_relative_to(ROOT / "codecs") else set()


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.relative_to(ROOT).as_posix())
def test_what_raises_malformed_says_so_by_its_name(room: Path) -> None:
    paths = {path.relative_to(ROOT).as_posix(): path for path in sorted(room.rglob("*.py"))}
    found = {
        f"{name}: {function}"
        for name, path in paths.items()
        for function in unnamed(path.read_text())
        if function not in named_by_contract(room)
    }
    assert found - READS_ITS_OWN == set()


def test_a_function_that_lets_malformed_through_is_found() -> None:
    source = """
def one(data):
    raise Malformed("no")
def two(data):
    return parse_untrusted(data)
def three(data):
    try:
        return parse_untrusted(data)
    except Malformed:
        return parse_untrusted(b"")
def four(data):
    try:
        return parse_untrusted(data)
    except Malformed:
        return None
def five_untrusted(data):
    raise Rejected("CODE", "no")
async def six(parts):
    async for part in parts_untrusted(parts):
        yield part
"""
    assert unnamed(source) == ["one", "two", "three", "six"]
