"""``glottis lab replay``, from its options to its exit code."""

import argparse
import sys
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from glottis.contracts.errors import ConfigurationError
from glottis.lab.plan import Delay
from glottis.lab.replaying.outcome import Outcome
from glottis.lab.replaying.replay import Replay, replay


class _Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
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
    try:
        return msgspec.convert(tomllib.loads(path.read_text()), _Settings)
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, msgspec.ValidationError) as error:
        raise ConfigurationError(f"{path}: {error}") from None


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
