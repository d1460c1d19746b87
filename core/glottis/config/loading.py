"""Reads the configuration: a TOML file, and above it the environment."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from glottis.config.conversion import EnvironmentValue, convert, join
from glottis.config.settings import Config
from glottis.contracts.errors import ConfigurationError

ENVIRONMENT_PREFIX: Final = "GLOTTIS_"
NESTING: Final = "__"
API_KEY_VARIABLE: Final = "GLOTTIS_API_KEY"
"""For ``glottis call``: the one variable with the prefix that is no key of the configuration."""


def load_config(path: Path | None, environ: Mapping[str, str]) -> Config:
    """The configuration of a file (None: all defaults), with ``GLOTTIS_SERVER__PORT=9000`` and the like on top.

    Raises ``ConfigurationError`` with one line for each wrong or unknown key.
    """
    values = {} if path is None else _read(path)
    for name, text in sorted(environ.items()):
        if name.startswith(ENVIRONMENT_PREFIX) and name != API_KEY_VARIABLE:
            _override(values, name, text)
    config: Config = convert(values, Config)
    return config


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: not TOML: {error}") from error


def _override(values: dict[str, Any], name: str, text: str) -> None:
    """Put ``text`` where the variable's name points, making the tables on the way."""
    *tables, last = name.removeprefix(ENVIRONMENT_PREFIX).split(NESTING)
    path = ""
    for word in tables:
        key = _matching_key(values, word)
        path = join(path, key)
        values = values.setdefault(key, {})
        if not isinstance(values, dict):
            raise ConfigurationError(f"{path}: not a table, but the variable {name} sets a key of it")
    values[_matching_key(values, last)] = EnvironmentValue(text)


def _matching_key(values: Mapping[str, Any], word: str) -> str:
    """The key that is there already but for case and hyphens, which variables cannot have; else lower case."""
    wanted = word.lower()
    return next((key for key in values if key.lower().replace("-", "_") == wanted), wanted)
