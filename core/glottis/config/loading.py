"""Reads the configuration: a TOML file, and above it the environment."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from glottis.config.conversion import EnvironmentValue, convert, join
from glottis.config.settings import Config, Log
from glottis.contracts.errors import ConfigurationError

ENVIRONMENT_PREFIX: Final = "GLOTTIS_"
NESTING: Final = "__"
API_KEY_VARIABLE: Final = "GLOTTIS_API_KEY"
"""For ``glottis call``: the one variable with the prefix that is no key of the configuration."""


def load_config(path: Path | None, environ: Mapping[str, str]) -> Config:
    """The configuration of a file (None: all defaults), with ``GLOTTIS_SERVER__PORT=9000`` and the like on top.

    Raises ``ConfigurationError`` with one line for each wrong or unknown key.
    """
    config: Config = convert(_values(path, environ), Config)
    return config


def load_log(path: Path | None, environ: Mapping[str, str]) -> Log:
    """The section ``[log]`` alone, to log by what is wrong with the rest; what cannot be read counts as absent."""
    for source in (path, None):
        try:
            log: Log = convert(_values(source, environ).get("log", {}), Log)
        except ConfigurationError:
            continue
        return log
    return Log()


def _values(path: Path | None, environ: Mapping[str, str]) -> dict[str, Any]:
    values = {} if path is None else _read(path)
    for name, text in sorted(environ.items()):
        if _is_setting(name):
            _override(values, name, text)
    return values


def name_variables(message: str, environ: Mapping[str, str]) -> str:
    """The message of a ``ConfigurationError``, each line with the variables that set the key which it is about."""
    return "\n".join(line + _origin(line, environ) for line in message.splitlines())


def _origin(line: str, environ: Mapping[str, str]) -> str:
    paths = [_comparable(path) for path in line.partition(": ")[0].split(", ")]
    names = [name for name in sorted(environ) if _is_setting(name) and name not in line]
    found = [name for name in names if any(_overlap(_path_of(name), path) for path in paths)]
    return f" (set by {', '.join(found)})" if found else ""


def _is_setting(name: str) -> bool:
    return name.startswith(ENVIRONMENT_PREFIX) and name != API_KEY_VARIABLE


def _path_of(name: str) -> str:
    return name.removeprefix(ENVIRONMENT_PREFIX).replace(NESTING, ".").lower()


def _comparable(path: str) -> str:
    """A path as variables can spell it, items of arrays being within their array like keys within a table."""
    return path.lower().replace("-", "_").replace("[", ".")


def _overlap(path: str, other: str) -> bool:
    """Whether one of two paths is within the other."""
    return f"{path}.".startswith(f"{other}.") or f"{other}.".startswith(f"{path}.")


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
