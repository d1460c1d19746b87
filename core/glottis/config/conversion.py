"""Turns untyped settings into msgspec structs and dataclasses, and reports every wrong key at once, each with its path.

``msgspec.convert`` stops at the first error; here structs, tables and lists are walked, and msgspec converts the
leaves.
"""

import dataclasses
import difflib
import enum
import json
import tomllib
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import msgspec

from glottis.config.mistakes import Mistakes, paths_of
from glottis.contracts.components import Component
from glottis.contracts.errors import ConfigurationError
from glottis.contracts.secret import Secret

T = TypeVar("T")

_WRONG: Final = object()
"""Stands for a value whose problem has been noted."""


ComponentLookup = Callable[[type, str, Mapping[str, Any], str, bool], Component[Any]]
"""Gives the component of a kind by its name and settings. The path is for messages; then, whether it is a default.

Raises ``ConfigurationError``.
"""


class EnvironmentValue(str):
    """Text of an environment variable. What it means depends on the type that its key expects."""

    __slots__ = ()

    def parsed(self) -> Any:
        """As JSON or a TOML value; else the text itself."""
        try:
            return json.loads(self)
        except ValueError:
            pass
        try:
            document = tomllib.loads(f"value = {self}")
        except tomllib.TOMLDecodeError:
            return str(self)
        return document["value"] if len(document) == 1 else str(self)


class PluginSettings(Mapping[str, Any]):
    """Settings whose types are known only to the plugin they are meant for. ``repr`` shows the keys alone."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        self._values = dict(values or {})

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"PluginSettings({', '.join(f'{key}=…' for key in self._values)})"


def convert(value: object, expected: Any, path: str = "", look_up: ComponentLookup | None = None) -> Any:
    """``value`` as the type ``expected``; raises ``ConfigurationError`` with one line for each wrong key.

    ``look_up`` gives the components that are named, also by defaults; without it there must not be any.

    Unknown keys are errors. A struct's ``__post_init__`` may raise ``ConfigurationError("key: what is expected")``,
    which gets the struct's path in front.
    """
    conversion = _Conversion(look_up)
    result = conversion.convert(value, expected, path)
    if conversion.problems:
        raise ConfigurationError("\n".join(conversion.problems))
    return result


def convert_what_fits(value: object, expected: type[T], mistakes: Mistakes) -> T:
    """The same for a struct all of whose keys have defaults, which stand for what is wrong. That is noted."""
    conversion = _Conversion(None)
    result = conversion.convert(value, expected, "")
    mistakes.lines += conversion.problems
    mistakes.doubtful += conversion.doubtful
    return expected() if result is _WRONG else cast(T, result)


def join(path: str, key: str) -> str:
    """The path of ``key`` in the table at ``path``."""
    return f"{path}.{key}" if path else key


class _Conversion:
    def __init__(self, look_up: ComponentLookup | None) -> None:
        self._look_up = look_up
        self.problems: list[str] = []
        self.doubtful: list[str] = []
        """The paths of what is not as it was meant: of wrong values, and of keys that were perhaps mistyped."""

    def convert(self, value: Any, expected: Any, path: str) -> Any:
        expected = _without_none(expected)
        origin = get_origin(expected)
        if isinstance(expected, type) and (issubclass(expected, msgspec.Struct) or dataclasses.is_dataclass(expected)):
            return self._struct(value, expected, path)
        if expected is PluginSettings or origin is dict:
            return self._table(value, expected, path)
        if origin in (list, tuple):
            return self._list(value, expected, path)
        if Component in (origin, expected):
            return self._component(value, expected, path)
        if expected is Secret:
            text = self._leaf(value, str, path)
            return text if text is _WRONG else Secret(text)
        return self._leaf(value, expected, path)

    def _struct(self, value: Any, expected: type, path: str) -> Any:
        table = self._container(value, dict, path)
        if table is _WRONG:
            return _WRONG
        problems_before = len(self.problems)
        fields = {field.encode_name: field for field in _fields(expected)}
        for key in sorted(table.keys() - fields.keys()):
            self._unknown(key, list(fields), path)
        values = {key: self._field(field, table, join(path, field.encode_name)) for key, field in fields.items()}
        if _WRONG in values.values():
            return _WRONG
        by_name = {fields[key].name: item for key, item in values.items()}
        return self._build(expected, by_name, path, is_as_meant=len(self.problems) == problems_before)

    def _field(self, field: msgspec.structs.FieldInfo, table: Mapping[str, Any], path: str) -> Any:
        """Its value; where that is wrong the default, so that what else is wrong is found, too."""
        if field.encode_name in table:
            value = self.convert(table[field.encode_name], field.type, path)
            if value is not _WRONG or field.required:
                return value
        elif field.required:
            return self._problem(path, "missing")
        return self._default(_default_of(field), field.type, path)

    def _build(self, expected: type[msgspec.Struct], values: dict[str, Any], path: str, is_as_meant: bool) -> Any:
        """Make the struct, whose ``__post_init__`` may find that its values do not fit together.

        Where some are not what was meant, it is of no interest that they do not.
        """
        try:
            return expected(**values)
        except ConfigurationError as error:
            if is_as_meant:
                self._note(join(path, str(error)))
        except ValueError as error:
            if is_as_meant:
                self._problem(path, str(error))
        return _WRONG

    def _default(self, value: Any, expected: Any, path: str) -> Any:
        """A default, with the components that it names."""
        expected = _without_none(expected)
        origin = get_origin(expected)
        if isinstance(value, Component):
            return self._named_component(value.name, {}, expected, path, by_default=True)
        if isinstance(value, msgspec.Struct):
            return self._default_struct(value, path)
        if origin is dict and value:
            return {key: self._default(item, get_args(expected)[1], join(path, key)) for key, item in value.items()}
        if origin in (list, tuple) and value:
            item_type = get_args(expected)[0]
            return origin(self._default(item, item_type, f"{path}[{index}]") for index, item in enumerate(value))
        return value

    def _default_struct(self, value: msgspec.Struct, path: str) -> Any:
        """The struct itself, unless there are components in it."""
        changed = {}
        for field in _fields(type(value)):
            before = getattr(value, field.name)
            after = self._default(before, field.type, join(path, field.encode_name))
            if after is not before:
                changed[field.name] = after
        if _WRONG in changed.values():
            return _WRONG
        return msgspec.structs.replace(value, **changed) if changed else value

    def _component(self, value: Any, expected: Any, path: str) -> Any:
        """By its name, or by a table of its name and its settings."""
        if isinstance(value, EnvironmentValue):
            parsed = value.parsed()
            value = parsed if isinstance(parsed, dict | str) else str(value)
        table = {"name": value} if isinstance(value, str) else value
        if not isinstance(table, dict):
            return self._problem(path, f"expected a name or a table, got {_TYPE_NAMES.get(type(value), 'null')}")
        if "name" not in table:
            return self._problem(join(path, "name"), f"missing, it says which {_kind(expected).__name__}")
        name: Any = self._leaf(table["name"], str, join(path, "name"))
        settings = {key: item for key, item in table.items() if key != "name"}
        return _WRONG if name is _WRONG else self._named_component(name, settings, expected, path)

    def _named_component(
        self, name: str, settings: Mapping[str, Any], expected: Any, path: str, by_default: bool = False
    ) -> Any:
        if self._look_up is None:
            raise TypeError(f"{path}: there are no components here")
        try:
            return self._look_up(_kind(expected), name, settings, path, by_default)
        except ConfigurationError as error:
            return self._note(str(error))

    def _table(self, value: Any, expected: Any, path: str) -> Any:
        table = self._container(value, dict, path)
        if table is _WRONG:
            return _WRONG
        if expected is PluginSettings:
            return PluginSettings(table)
        item_type = get_args(expected)[1]
        items = {key: self.convert(item, item_type, join(path, key)) for key, item in table.items()}
        return {key: item for key, item in items.items() if item is not _WRONG}

    def _list(self, value: Any, expected: Any, path: str) -> Any:
        items = self._container(value, list, path)
        if items is _WRONG:
            return _WRONG
        item_type = get_args(expected)[0]
        kind: type[list[Any]] | type[tuple[Any, ...]] = get_origin(expected)
        converted = [self.convert(item, item_type, f"{path}[{index}]") for index, item in enumerate(items)]
        return kind(item for item in converted if item is not _WRONG)

    def _container(self, value: Any, expected: type, path: str) -> Any:
        if isinstance(value, EnvironmentValue):
            value = value.parsed()
        if isinstance(value, PluginSettings):
            value = dict(value)
        if isinstance(value, expected):
            return value
        return self._problem(path, f"expected {_TYPE_NAMES[expected]}, got {_TYPE_NAMES.get(type(value), 'null')}")

    def _leaf(self, value: Any, expected: Any, path: str) -> Any:
        readings = [value.parsed(), str(value)] if isinstance(value, EnvironmentValue) else [value]
        failures = []
        for reading in readings:
            try:
                return msgspec.convert(reading, expected)
            except msgspec.ValidationError as error:
                failures.append(error)
        return self._problem(path, _expectation(failures[0], expected))

    def _unknown(self, key: str, known: list[str], path: str) -> None:
        likely = difflib.get_close_matches(key, known, n=1)
        hint = f"did you mean {likely[0]}?" if likely else f"expected one of {', '.join(known) or 'none'}"
        self._problem(join(path, key), f"unknown key, {hint}")
        self.doubtful += [join(path, other) for other in likely]

    def _problem(self, path: str, problem: str) -> object:
        return self._note(f"{path}: {problem}" if path else problem)

    def _note(self, problem: str) -> object:
        self.problems.append(problem)
        self.doubtful += paths_of(problem)
        return _WRONG


_TYPE_NAMES: Final[dict[type, str]] = {
    dict: "table",
    list: "array",
    str: "str",
    int: "int",
    float: "float",
    bool: "bool",
}


def _fields(expected: Any) -> Iterable[msgspec.structs.FieldInfo]:
    """Those of a struct, or of a dataclass whose fields all have plain defaults."""
    if issubclass(expected, msgspec.Struct):
        return msgspec.structs.fields(expected)
    hints = get_type_hints(expected, include_extras=True)
    return [
        msgspec.structs.FieldInfo(field.name, field.name, hints[field.name], field.default)
        for field in dataclasses.fields(expected)
    ]


def _default_of(field: msgspec.structs.FieldInfo) -> Any:
    return field.default_factory() if field.default is msgspec.NODEFAULT else field.default


def _kind(component_type: Any) -> type:
    """``Kind`` of ``Component[Kind]``, without the parameters of a generic one."""
    if get_origin(component_type) is not Component:
        raise TypeError(f"expected the type Component[Kind] of a setting that is a component, got {component_type}")
    (kind,) = get_args(component_type)
    found: type = get_origin(kind) or kind
    return found


def _without_none(expected: Any) -> Any:
    """``X`` of ``X | None``: TOML has no null, so a key that is there has a value."""
    if get_origin(expected) in (Union, types.UnionType):
        others = [item for item in get_args(expected) if item is not type(None)]
        if len(others) == 1:
            return others[0]
    return expected


def _expectation(error: msgspec.ValidationError, expected: Any) -> str:
    """What msgspec says without its own path, and without the value, which it quotes where a word is not in a list."""
    message = str(error).split(" - at `$", 1)[0].replace("`", "")
    if message.startswith("Invalid enum value"):
        return f"expected one of {', '.join(map(str, _choices(expected)))}"
    return message[:1].lower() + message[1:]


def _choices(expected: Any) -> list[Any]:
    """The values of a ``Literal`` or an enumeration."""
    if get_origin(expected) is Literal:
        return list(get_args(expected))
    members: list[enum.Enum] = list(expected) if isinstance(expected, enum.EnumMeta) else []
    return [member.value for member in members] or ["its values"]
