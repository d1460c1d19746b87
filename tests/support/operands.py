"""What single instructions cost by the size of what they work on, where C code walks over it.

Operands are found where the source names them (``parts``, ``self._queue``, ``data[2:]``, ``table.values()``); of those
that are computed in place, the computing counts.
"""

import ast
import dis
import linecache
import re
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sized
from functools import cache
from re import _parser  # type: ignore[attr-defined]
from types import CodeType, FrameType, FunctionType, MethodType
from typing import Any, Final

BYTES_PER_OPERATION: Final = 64
"""Of text and bytes that are searched or copied at once."""
CHARACTERS_PER_PART: Final = 4
"""Of text and bytes that are cut into parts, each of which is an object: an operation for so many."""

_TEXTS: Final = (bytes, bytearray, str, memoryview)
_SEQUENCES: Final = (list, tuple, deque)
_TABLES: Final = (dict, set, frozenset)

_WALKS_RECEIVER: Final = frozenset({
    "casefold", "copy", "count", "decode", "difference", "encode", "find", "index", "insert", "intersection",
    "isascii", "isdigit", "lower", "lstrip", "partition", "remove", "replace", "rfind", "rpartition", "rstrip",
    "sort", "strip", "translate", "union", "upper",
})  # fmt: skip
_CUTS_RECEIVER: Final = frozenset({"rsplit", "split", "splitlines"})
_WALKS_ARGUMENTS: Final = frozenset({
    "Counter", "OrderedDict", "all", "any", "b64decode", "b64encode", "bytearray", "bytes", "compare_digest",
    "deque", "dict", "digest", "extend", "frozenset", "heapify", "join", "list", "max", "min", "quote", "set",
    "sorted", "str", "sum", "tuple", "unquote", "update", "urlsafe_b64decode", "urlsafe_b64encode",
})  # fmt: skip
_READS_EACH_CHARACTER: Final = frozenset({"float", "fullmatch", "int", "match", "search", "sub"})
_MAKES_MATCHES: Final = frozenset({"findall", "finditer", "split"})

Weigh = Callable[[FrameType], int]

_NODES_OF: Final[dict[str, tuple[type[ast.expr | ast.stmt], ...]]] = {
    "CONTAINS_OP": (ast.Compare,),
    "BINARY_SUBSCR": (ast.Subscript,),
    "BINARY_SLICE": (ast.Subscript,),
    "BINARY_OP": (ast.BinOp, ast.AugAssign),
    "CALL": (ast.Call,),
    "CALL_KW": (ast.Call,),
    "CALL_FUNCTION_EX": (ast.Call,),
    "LIST_EXTEND": (ast.List, ast.Tuple, ast.Call),
    "SET_UPDATE": (ast.Set,),
    "DICT_UPDATE": (ast.Dict,),
}
_PURE: Final = (
    ast.Name,
    ast.Attribute,
    ast.Constant,
    ast.BinOp,
    ast.UnaryOp,
    ast.operator,
    ast.unaryop,
    ast.expr_context,
)


def receiver_weight(called: object) -> int:
    """What a method of C code costs by the size of its object."""
    receiver, name = getattr(called, "__self__", None), getattr(called, "__name__", "")
    if name in _CUTS_RECEIVER and isinstance(receiver, _TEXTS):
        return len(receiver) // CHARACTERS_PER_PART
    return _size(receiver) if name in _WALKS_RECEIVER else 0


@cache
def weights(code: CodeType) -> dict[int, Weigh]:
    """By offset: what instructions of a function cost beyond one."""
    found = {}
    for instruction in dis.get_instructions(code):
        places = instruction.positions
        kinds = _NODES_OF.get(instruction.opname, ())
        if kinds and places is not None and places.end_lineno is not None:
            nodes = _nodes_by_end(code.co_filename)[places.end_lineno, places.end_col_offset]
            weighs = [weigh for node in nodes if isinstance(node, kinds) for weigh in _weighs(node)]
            if weighs:
                found[instruction.offset] = _sum_of(weighs)
    return found


@cache
def _nodes_by_end(filename: str) -> defaultdict[tuple[int, int | None], list[ast.AST]]:
    """The expressions of a file by line and column of their ends; none of what is made at run time."""
    nodes: defaultdict[tuple[int, int | None], list[ast.AST]] = defaultdict(list)
    for node in ast.walk(ast.parse("".join(linecache.getlines(filename)))):
        if isinstance(node, ast.expr | ast.stmt) and node.end_lineno is not None:
            nodes[node.end_lineno, node.end_col_offset].append(node)
    return nodes


def _sum_of(weighs: list[Weigh]) -> Weigh:
    return lambda frame: sum(weigh(frame) for weigh in weighs)


def _weighs(node: ast.AST) -> Iterator[Weigh]:
    match node:
        case ast.Compare(ops=[ast.In() | ast.NotIn()], comparators=[operand]):
            yield from _reader(operand, _searched)
        case ast.Subscript(slice=ast.Slice()):
            yield from _reader(node, _size)
        case ast.BinOp(left=left, right=right, op=ast.Add()):
            yield from _reader(left, _size)
            yield from _reader(right, _size)
        case ast.AugAssign(target=left, value=right, op=ast.Add()):
            yield from _reader(left, _copied)
            yield from _reader(right, _size)
        case ast.Call():
            if measure := _MEASURES.get(_name(node.func)):
                yield from _call_weighs(node, measure)
            yield from _starred(node.args)
        case ast.List(elts=elements) | ast.Tuple(elts=elements) | ast.Set(elts=elements):
            yield from _starred(elements)
        case ast.Dict(keys=keys, values=values):
            for key, value in zip(keys, values, strict=True):
                if key is None:
                    yield from _reader(value, _size)


def _starred(elements: list[ast.expr]) -> Iterator[Weigh]:
    for element in elements:
        if isinstance(element, ast.Starred):
            yield from _reader(element.value, _size)


def _call_weighs(call: ast.Call, measure: Callable[[Any], int]) -> Iterator[Weigh]:
    """Of each argument; nothing if what is called is Python, whose opcodes count."""
    function = _readable(call.func)
    pattern = _readable(call.func.value) if isinstance(call.func, ast.Attribute) else None

    def weigh_call(weigh: Weigh) -> Weigh:
        def weigh_now(frame: FrameType) -> int:
            if function is not None and isinstance(_value(function, frame), FunctionType | MethodType):
                return 0
            return weigh(frame) if pattern is None else min(weigh(frame), _width(_value(pattern, frame)))

        return weigh_now

    for argument in call.args:
        yield from map(weigh_call, _reader(argument, measure))


def _name(function: ast.expr) -> str:
    return function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")


def _reader(operand: ast.expr, measure: Callable[[Any], int]) -> Iterator[Weigh]:
    """Reads the operand again and measures it, if that can be done."""
    match operand:
        case ast.Call(func=ast.Attribute(value=table, attr="values" | "items" | "keys"), args=[]):
            operand = table
        case ast.Call(func=ast.Name(id="map" | "filter" | "reversed"), args=[*_, sequence]):
            operand = sequence
    if (code := _readable(operand)) is not None:
        yield lambda frame: measure(_value(code, frame))


def _readable(operand: ast.expr) -> CodeType | None:
    """What computes an operand again, if that does nothing else."""
    if not all(_is_pure(node) for node in ast.walk(operand)):
        return None
    return compile(ast.unparse(operand), "<operand>", "eval")  # anew, as what is assigned to cannot be read


def _is_pure(node: ast.AST) -> bool:
    return isinstance(node, (*_PURE, ast.Subscript, ast.Slice)) or (
        isinstance(node, ast.Call) and _name(node.func) == "len"
    )


def _value(code: CodeType, frame: FrameType) -> object:
    try:
        return eval(code, frame.f_globals, frame.f_locals)
    except Exception:  # as the function itself is about to see
        return None


def _size(value: object) -> int:
    if isinstance(value, _TEXTS):
        return len(value) // BYTES_PER_OPERATION
    return len(value) if isinstance(value, (*_SEQUENCES, *_TABLES)) else 0


def _copied(value: object) -> int:
    """By what is added to it: a list grows in place."""
    return 0 if isinstance(value, list | deque | bytearray) else _size(value)


def _searched(value: object) -> int:
    return 0 if isinstance(value, _TABLES) else _size(value)


def _characters(value: object) -> int:
    return len(value) if isinstance(value, Sized) else 0


def _parts(value: object) -> int:
    """Of text cut by a regular expression."""
    return 4 * _characters(value)


def _width(value: object) -> int:
    """How many characters a regular expression reads at most: those that it can match, and another one."""
    return _width_of(value.pattern) if isinstance(value, re.Pattern) else 2**32


@cache
def _width_of(pattern: str | bytes) -> int:
    return int(_parser.parse(pattern).getwidth()[1]) + 1


def _json(value: object) -> int:
    """A value costs three operations, and as much again as a member of an object: each has its marks about it."""
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
    return len(text) // 16 + sum(3 * text.count(mark) for mark in ",[{::")


_MEASURES: Final[dict[str, Callable[[Any], int]]] = {
    **dict.fromkeys(_WALKS_ARGUMENTS, _size),
    **dict.fromkeys(_READS_EACH_CHARACTER, _characters),
    **dict.fromkeys(_MAKES_MATCHES, _parts),
    **dict.fromkeys(("decode", "scan_once"), _json),
}
