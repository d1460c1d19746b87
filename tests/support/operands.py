"""What single instructions cost by the size of what they work on, where C code walks over it.

Operands are found where the source names them (``parts``, ``self._queue``, ``data[2:]``, ``table.values()``); of those
that are computed in place, the computing counts.
"""

import ast
import dis
import linecache
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sized
from functools import cache
from types import CodeType, FrameType
from typing import Any, Final

BYTES_PER_OPERATION: Final = 64
"""Of text and bytes that are searched or copied at once."""

_TEXTS: Final = (bytes, bytearray, str, memoryview)
_SEQUENCES: Final = (list, tuple, deque)
_TABLES: Final = (dict, set, frozenset)

_WALKS_RECEIVER: Final = frozenset({
    "casefold", "copy", "count", "decode", "difference", "encode", "find", "index", "insert", "intersection",
    "isascii", "isdigit", "lower", "lstrip", "partition", "remove", "replace", "rfind", "rpartition", "rsplit",
    "rstrip", "sort", "split", "splitlines", "strip", "translate", "union", "upper",
})  # fmt: skip
_WALKS_ARGUMENTS: Final = frozenset({
    "Counter", "OrderedDict", "all", "any", "b64decode", "b64encode", "bytearray", "bytes", "compare_digest",
    "deque", "dict", "digest", "extend", "frozenset", "heapify", "join", "list", "max", "min", "quote", "set",
    "sorted", "str", "sum", "tuple", "unquote", "update", "urlsafe_b64decode", "urlsafe_b64encode",
})  # fmt: skip
_READS_EACH_CHARACTER: Final = frozenset({
    "findall", "finditer", "float", "fullmatch", "int", "match", "search", "sub",
})  # fmt: skip

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
    return _size(getattr(called, "__self__", None)) if getattr(called, "__name__", "") in _WALKS_RECEIVER else 0


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
        case ast.BinOp(left=left, right=right, op=ast.Add()) | ast.AugAssign(target=left, value=right, op=ast.Add()):
            yield from _reader(left, _size)
            yield from _reader(right, _size)
        case ast.Call():
            if measure := _MEASURES.get(_name(node.func)):
                for argument in node.args:
                    yield from _reader(argument, measure)
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


def _name(function: ast.expr) -> str:
    return function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")


def _reader(operand: ast.expr, measure: Callable[[Any], int]) -> Iterator[Weigh]:
    """Reads the operand again and measures it, if reading does nothing else."""
    match operand:
        case ast.Call(func=ast.Attribute(value=table, attr="values" | "items" | "keys"), args=[]):
            operand = table
        case ast.Call(func=ast.Name(id="map" | "filter" | "reversed"), args=[*_, sequence]):
            operand = sequence
    if all(_is_pure(node) for node in ast.walk(operand)):
        code = compile(ast.unparse(operand), "<operand>", "eval")  # anew, as what is assigned to cannot be read
        yield lambda frame: measure(_value(code, frame))


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


def _searched(value: object) -> int:
    return 0 if isinstance(value, _TABLES) else _size(value)


def _characters(value: object) -> int:
    return len(value) if isinstance(value, Sized) else 0


def _json(value: object) -> int:
    """A value, of which each but the last has a comma or a bracket behind it, costs two operations or three."""
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
    return len(text) // 16 + sum(3 * text.count(mark) for mark in ",[{")


_MEASURES: Final[dict[str, Callable[[Any], int]]] = {
    **dict.fromkeys(_WALKS_ARGUMENTS, _size),
    **dict.fromkeys(_READS_EACH_CHARACTER, _characters),
    "loads": _json,
}
