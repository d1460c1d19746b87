from collections.abc import Callable
from importlib.metadata import Distribution, EntryPoint
from types import ModuleType
from typing import Any

import pytest

InstallPlugin = Callable[..., EntryPoint]


class _FakeDistribution(Distribution):
    def __init__(self, name: str, version: str) -> None:
        self._metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"

    def read_text(self, filename: str) -> str | None:
        return self._metadata if filename == "METADATA" else None

    def locate_file(self, path: Any) -> Any:
        raise NotImplementedError


class _FakeEntryPoint(EntryPoint):
    """Imports its module from source text."""

    source: str

    def load(self) -> ModuleType:
        module = ModuleType(self.value)
        exec(compile(self.source, self.value, "exec"), module.__dict__)
        return module


@pytest.fixture
def install_plugin() -> InstallPlugin:
    """An entry point as if a distribution with this source text were installed."""

    def install(source: str, *, name: str, distribution: str = "", version: str = "1.0") -> EntryPoint:
        entry_point = _FakeEntryPoint(name=name, value=f"{name}_plugin", group="glottis")
        vars(entry_point)["source"] = source
        vars(entry_point)["dist"] = _FakeDistribution(distribution or f"dist-{name}", version)
        return entry_point

    return install
