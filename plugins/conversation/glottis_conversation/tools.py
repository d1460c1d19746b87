"""Typed Python functions as tools of a model."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_type_hints

import msgspec

from glottis_conversation.kinds import Request, Tool, ToolFunction


def tool_of(
    function: ToolFunction,
    hear: Callable[[str], Request | None] | None = None,
    *,
    name: str = "",
    description: str = "",
    example: str = "",
    sayings: Sequence[str] = (),
) -> Tool:
    """The tool that runs this function: its name, its docstring, and its parameters as JSON Schema.

    ``name`` and ``description`` are for one function that is made for several tools. Raises ``ValueError`` for a
    function that a model cannot call.
    """
    name = name or getattr(function, "__name__", "")
    if not inspect.iscoroutinefunction(function) or not name.isidentifier():
        raise ValueError(f"expected an async function with a name as a tool, got {function!r}")
    arguments = _arguments_of(function, name)
    _, definitions = msgspec.json.schema_components([arguments])
    parameters = {key: value for key, value in definitions[arguments.__name__].items() if key != "title"}
    others = {key: value for key, value in definitions.items() if key != arguments.__name__}

    async def run(given: Mapping[str, Any]) -> str:
        try:
            typed = msgspec.convert(given, arguments)
        except msgspec.ValidationError as error:
            raise ValueError(str(error)) from None
        result = await function(**msgspec.structs.asdict(typed))
        return result if isinstance(result, str) else msgspec.json.encode(result).decode()

    whole = {**parameters, **({"$defs": others} if others else {})}
    return Tool(name, description or inspect.getdoc(function) or "", whole, run, hear, example, sayings)


def _arguments_of(function: ToolFunction, name: str) -> type[msgspec.Struct]:
    """A struct with a field for each parameter, which refuses others."""
    hints = get_type_hints(function, include_extras=True)
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name not in hints or parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise ValueError(f"the tool {name}: expected a type for its parameter {parameter.name}")
        kind = hints[parameter.name]
        fields.append(
            (parameter.name, kind)
            if parameter.default is parameter.empty
            else (parameter.name, kind, parameter.default)
        )
    return msgspec.defstruct(name, fields, kw_only=True, forbid_unknown_fields=True)
