"""``glottis lab replay``, from its options to its exit code."""

import argparse
import sys
from pathlib import Path
from typing import Any

import msgspec

from glottis.config.conversion import convert
from glottis.contracts.errors import ConfigurationError
from glottis.lab.files import Beside, read_table
from glottis.lab.plan import Delay
from glottis.lab.replaying.outcome import Outcome
from glottis.lab.replaying.replay import Replay, replay


class _Settings(msgspec.Struct, frozen=True):
    """Paths are those from the file."""

    agent: dict[str, Any] = {}
    """Settings of the agent."""
    delay: Delay | None = None
    plugins: tuple[str, ...] = ()


def replay_command(options: argparse.Namespace) -> int:
    """1 where the outcome differs."""
    settings = _settings(options.settings)
    result = replay(
        options.file,
        options.agent,
        settings=settings.agent,
        delay=settings.delay,
        plugins=settings.plugins,
        against=_outcome(options.against),
    )
    if options.save is not None:
        _save(options.save, result.now)
    lines = [msgspec.json.encode(result).decode()] if options.json else _in_words(result)
    sys.stdout.writelines(f"{line}\n" for line in lines)
    return 1 if result.differences else 0


def _in_words(result: Replay) -> list[str]:
    lines = [] if result.is_whole else ["the file breaks off: the gateway did not come to its end"]
    if result.before.figures is None and result.before.levels is None:
        lines.append("not all of the call is in the file: figures are not compared")
    if not result.differences:
        return [*lines, f"{result.now.ended_at:.1f} s of call went again as they went before"]
    return [*lines, *result.differences]


def _settings(path: Path | None) -> _Settings:
    if path is None:
        return _Settings()
    settings: _Settings = convert(read_table(path), _Settings)
    files, delay = Beside(path), settings.delay
    return msgspec.structs.replace(
        settings,
        delay=None if delay is None else msgspec.structs.replace(delay, policy=files.function(delay.policy)),
        plugins=tuple(map(files.path, settings.plugins)),
    )


def _outcome(path: Path | None) -> Outcome | None:
    if path is None:
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=Outcome)
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from None
    except msgspec.MsgspecError as error:
        raise ConfigurationError(f"{path}: no outcome of a replay: {error}") from None


def _save(path: Path, outcome: Outcome) -> None:
    try:
        path.write_bytes(msgspec.json.encode(outcome) + b"\n")
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be written: {error.strerror}") from None
