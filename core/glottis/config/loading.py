"""Reads the configuration: a TOML file, and above it the environment."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

from glottis.config.conversion import EnvironmentValue, convert, convert_what_fits, join
from glottis.config.log_settings import Log
from glottis.config.mistakes import Mistakes, overlap, paths_of
from glottis.config.settings import Config
from glottis.contracts.errors import ConfigurationError

T = TypeVar("T")

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


def load_file(path: Path, expected: type[T]) -> T:
    """Another file than a gateway's, as a struct of its own; the environment adds nothing. Raises the same."""
    config: T = convert(_read(path), expected)
    return config


def load_what_fits(path: Path | None, environ: Mapping[str, str], mistakes: Mistakes) -> Config:
    """The same with defaults where something is wrong, which is noted.

    Raises ``ConfigurationError`` if the file cannot be read at all.
    """
    return convert_what_fits(_values(path, environ), Config, mistakes)


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


def name_sources(message: str, environ: Mapping[str, str], path: Path | None = None) -> str:
    """The message of a ``ConfigurationError``, each line with where the key that it is about is set.

    That is in variables; else ``path`` is the file in which to mend it.
    """
    return "\n".join(line + _source(line, environ, path) for line in message.splitlines())


def _source(line: str, environ: Mapping[str, str], path: Path | None) -> str:
    keys = [_comparable(key) for key in paths_of(line)]
    names = [name for name in sorted(environ) if _is_setting(name) and name not in line]
    if found := [name for name in names if any(overlap(_path_of(name), key) for key in keys)]:
        return f" (set by {', '.join(found)})"
    return f" (in {path})" if path is not None and str(path) not in line else ""


def _is_setting(name: str) -> bool:
    return name.startswith(ENVIRONMENT_PREFIX) and name != API_KEY_VARIABLE


def _path_of(name: str) -> str:
    return name.removeprefix(ENVIRONMENT_PREFIX).replace(NESTING, ".").lower()


def _comparable(path: str) -> str:
    """A path as variables can spell it."""
    return path.lower().replace("-", "_")


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
