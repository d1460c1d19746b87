"""TOML files of the lab, and the paths in them: those are from the file, wherever the command is run."""

import tomllib
from pathlib import Path
from typing import Any

import msgspec

from glottis.contracts.errors import ConfigurationError
from glottis.lab.networks import Link


def read_table(path: Path) -> dict[str, Any]:
    """Raises ``ConfigurationError``."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: is no TOML: {error}") from None


class Beside:
    """Finds what a file names."""

    def __init__(self, file: Path) -> None:
        self._folder = file.resolve().parent

    def path(self, path: str) -> str:
        """Of a file; none of none."""
        return str(self._folder / path) if path else ""

    def function(self, reference: str) -> str:
        """``file.py:function``; other names as they are."""
        file, colon, function = reference.rpartition(":")
        return f"{self.path(file)}:{function}" if colon and file.endswith(".py") else reference

    def link(self, link: Any) -> Any:
        """A network's, with its trace."""
        back: Link | None = getattr(link, "back", None)
        changes: dict[str, Any] = {"trace": self.path(link.trace)}
        return msgspec.structs.replace(link, **changes, **({"back": self.link(back)} if back is not None else {}))
