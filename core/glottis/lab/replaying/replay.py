"""``replay``: a support case becomes a test."""

from pathlib import Path
from typing import Any

from msgspec import Struct

from glottis.config.components import typed_settings
from glottis.contracts.call import Agent
from glottis.contracts.errors import ConfigurationError, Malformed
from glottis.lab.parts import registry_with
from glottis.lab.plan import Delay
from glottis.lab.replaying.differences import TOLERANCE, differences
from glottis.lab.replaying.outcome import Outcome
from glottis.lab.replaying.reading import read_call_untrusted
from glottis.lab.replaying.running import run_again
from glottis.plugins import AgentFile, Registry, load_beside
from glottis.plugins.host import create
from glottis.wire.call_file import MAX_BYTES


class Replay(Struct, frozen=True, kw_only=True):
    """What has become of a call, before and now."""

    before: Outcome
    now: Outcome
    differences: tuple[str, ...]
    """Beyond tolerance, in words; empty where there are none."""
    is_whole: bool = True
    """Whether the file has an end: it has none where the gateway was killed."""


def replay(
    path: str | Path,
    agent: Agent | str | None = None,
    *,
    settings: dict[str, Any] | None = None,
    delay: Delay | None = None,
    plugins: tuple[str, ...] = (),
    against: Outcome | None = None,
    tolerance: float = TOLERANCE,
) -> Replay:
    """Run the call again that a gateway has kept in this file; the same file and agent give the same, always.

    ``agent`` is a function, the name of an installed one with its ``settings``, or ``FILE:FUNCTION``; without one the
    call is only heard. ``delay`` is how long packets wait, if not as long as then; ``plugins`` are files that register
    codecs. What has become of it is compared with what the gateway saw, or with ``against``, an earlier ``now``.

    Raises ``ConfigurationError`` for a file that cannot be read, and for what there is not.
    """
    registry = registry_with(plugins)
    found = _agent(agent, settings or {}, registry)
    try:
        kept = read_call_untrusted(_read(Path(path)))
    except Malformed as error:
        raise ConfigurationError(f"{path}: {error}") from None
    before = against or kept.outcome
    now = run_again(kept, found, [one.spec for one in registry.codecs], delay)
    told = differences(before, now, has_agent=found is not None, tolerance=tolerance)
    return Replay(before=before, now=now, differences=told, is_whole=kept.is_whole)


def _agent(agent: Agent | str | None, settings: dict[str, Any], registry: Registry) -> Agent | None:
    if not isinstance(agent, str):
        return agent
    if ":" in agent:
        registry = load_beside(registry, [AgentFile(agent)])
    found = registry.agents.find(agent)
    made: Agent = create(found.plugin, found.spec, typed_settings(registry, found, settings, "settings"))
    return made


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from None
