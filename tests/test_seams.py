"""Tests take glottis as its users do: by public names, and by what can be given to it rather than by patches."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
TESTS = [
    path
    for pattern in ("tests/**/*.py", "codecs/*/tests/**/*.py", "plugins/*/tests/**/*.py")
    for path in sorted(ROOT.glob(pattern))
]
PATCHES = ("setattr", "setitem", "delattr", "delitem")
"""What ``pytest.MonkeyPatch`` has for objects; the environment is nobody's."""

SUSPICIOUS = re.compile(
    rf"""
    (?<! \bself ) (?<! \bcls ) (?<! super[(][)] ) [.]_[a-zA-Z]  # a private name of something
    | ^ [ ]* (?: from[ ].*[ ]import[ ] (?: .* , [ ]* )? )? _[a-zA-Z]  # or one that is imported
    | [.] (?: {"|".join(PATCHES)} ) \b
    """,
    re.VERBOSE | re.MULTILINE,
)

AN_ATTACKER = "an attacker is an association of ours whose state it bends"
NO_OTHER_SIGN = "what is bounded is memory, of which nothing is told outside"
NO_SUCH_BUG = "a second wall, for bugs that there are not"
OPENSSL = "what OpenSSL does at such a moment cannot be ordered"
PARSER_OF_RE = "the standard library has no other tree of a regular expression"

OF_NAMED_TUPLES = frozenset(dir(NamedTuple("Any", [])))

PRIVATE = {
    "tests/peer/test_candidates.py": NO_OTHER_SIGN,
    "tests/rtp/test_receiver.py": NO_OTHER_SIGN,
    "tests/server/api/test_api.py": "the table of routes, which must be reserved whole",
    "tests/server/test_attacks.py": NO_OTHER_SIGN,
    "tests/support/backtracking.py": PARSER_OF_RE,
    "tests/support/operands.py": PARSER_OF_RE,
    "tests/support/sctp_attacker.py": AN_ATTACKER,
    "tests/sctp/aiortc_peer.py": "another stack, which knows no transport but its own",
    "tests/sctp/test_bounds.py": NO_OTHER_SIGN,
    "tests/sctp/test_cost.py": AN_ATTACKER,
    "tests/sctp/test_data_channels.py": "a peer without an extension that we have",
    "tests/sctp/test_early_messages.py": NO_OTHER_SIGN,
    "tests/sctp/test_handshake.py": "tags and windows, of which nothing is told outside",
    "tests/sctp/test_hostile.py": AN_ATTACKER,
    "tests/test_cost_of_engines.py": "an attacker who writes records with the keys of a handshake",
}
"""Files that use private names of others, and why they have to."""
PATCHED = {
    "codecs/opus/tests/test_deep_redundancy.py": "a libopus with deep redundancy, which no system has yet",
    "codecs/opus/tests/test_library.py": "a libopus that few systems have yet",
    "tests/client/test_caller.py": "a gateway that says nothing to an offer",
    "tests/dtls/test_handshake.py": OPENSSL,
    "tests/dtls/test_transport.py": OPENSSL,
    "tests/peer/test_transport.py": "handshakes that cost nothing, so that twenty thousand can be counted",
    "tests/sctp/test_early_messages.py": "a peer that does only half of what RFC 8831 says",
    "tests/server/http/test_costs.py": "steps of h11, which tells of none",
    "tests/server/runtime/test_watchdog.py": NO_SUCH_BUG,
    "tests/server/sessions/test_session.py": "an end at the one moment between two awaits",
    "tests/server/test_barriers.py": NO_SUCH_BUG,
}
"""Files that patch objects, and why they have to."""


class Findings(NamedTuple):
    """Where in a file, and what."""

    private: list[str]
    patched: list[str]


@cache
def reach_inside(path: Path) -> Findings:
    """Many files have no line that looks like it."""
    text = path.read_text()
    nodes = list(ast.walk(ast.parse(text))) if SUSPICIOUS.search(text) else []
    return Findings([*private_names(nodes)], [*patches(nodes)])


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name not in OF_NAMED_TUPLES


def private_names(nodes: list[ast.AST]) -> Iterator[str]:
    """Those of other objects and modules."""
    for node in nodes:
        if isinstance(node, ast.Attribute) and is_private(node.attr) and not is_own(node.value):
            yield f"line {node.lineno}: {ast.unparse(node)}"
        elif isinstance(node, ast.ImportFrom):
            yield from (f"line {node.lineno}: {alias.name}" for alias in node.names if is_private(alias.name))


def is_own(owner: ast.expr) -> bool:
    """An object may use what is its own, and its class's."""
    return ast.unparse(owner) in ("self", "cls", "super()")


def patches(nodes: list[ast.AST]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Attribute) and node.attr in PATCHES and "patch" in ast.unparse(node.value):
            yield f"line {node.lineno}: {ast.unparse(node)}"


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "excepted"), [("private", PRIVATE), ("patched", PATCHED)])
def test_only_the_named_tests_reach_inside(kind: str, excepted: dict[str, str]) -> None:
    found = {path.relative_to(ROOT).as_posix(): getattr(reach_inside(path), kind) for path in TESTS}
    unexpected = {path: places for path, places in found.items() if places and path not in excepted}
    assert not unexpected, "use public names, settings or parameters, or name the file and the reason here"
    assert sorted(path for path in excepted if not found.get(path)) == [], "these need no exception any more"
