"""What glottis calls in plugins, read off the contracts: a method that is added there is found here."""

import importlib
import inspect
import pkgutil
import typing
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from types import ModuleType
from typing import Any

from glottis import contracts
from glottis.contracts import hookspecs
from glottis.contracts.codec import CodecSpec
from glottis.plugins.extensions import EXTENSION_HOOKS


def methods_of(contract: type) -> list[str]:
    """The methods of a protocol."""
    return [name for name, value in vars(contract).items() if inspect.isfunction(value) and not name.startswith("_")]


def functions_of(spec: type) -> list[str]:
    """The fields of a specification that are functions of the plugin."""
    types = typing.get_type_hints(spec)
    return [field.name for field in fields(spec) if _is_function(types[field.name])]


def called_in_plugins() -> set[str]:
    """All that glottis may call once it serves: ``Encoder.encode``, ``CodecSpec.create_encoder``, ``Agent``."""
    return {name for module in _modules() for name in _called(module)} | {*EXTENSION_HOOKS}


def hooks() -> set[str]:
    """All that it calls when it starts."""
    return {name for name, value in vars(hookspecs).items() if hasattr(value, "glottis_spec")} - {*EXTENSION_HOOKS}


def _modules() -> list[ModuleType]:
    return [
        importlib.import_module(module.name)
        for module in pkgutil.iter_modules(contracts.__path__, f"{contracts.__name__}.")
    ]


def _called(module: ModuleType) -> Iterator[str]:
    for name, value in vars(module).items():
        if inspect.isclass(value) and value.__module__ == module.__name__:
            if getattr(value, "_is_protocol", False):
                yield from (f"{name}.{method}" for method in methods_of(value))
            elif is_dataclass(value):
                yield from (f"{name}.{function}" for function in functions_of(value))
        elif _is_function(value) and not name.startswith("_"):
            yield name


def _is_function(hint: Any) -> bool:
    return typing.get_origin(hint) is Callable


FUNCTIONS_OF_CODECS = functions_of(CodecSpec)
