"""Sessions as clients describe them: merged, and told again with what is so."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

KNOWN: Final = (
    "audio",
    "include",
    "instructions",
    "max_output_tokens",
    "model",
    "output_modalities",
    "parallel_tool_calls",
    "prompt",
    "reasoning",
    "tool_choice",
    "tools",
    "tracing",
    "truncation",
)
"""Members that are kept and told again; only ``model`` does anything here."""


def merged(session: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The session with these changes; of ``audio.input`` and ``audio.output``, member by member."""
    return _merged(session, changes, ("audio", "input", "output"))


def _merged(whole: Mapping[str, Any], changes: Mapping[str, Any], inner: Sequence[str]) -> dict[str, Any]:
    both = {**whole, **changes}
    for name in inner:
        before, value = whole.get(name), changes.get(name)
        if isinstance(before, dict) and isinstance(value, dict):
            both[name] = _merged(before, value, () if name != "audio" else inner)
    return both


def described(session: Mapping[str, Any], model: str) -> dict[str, Any]:
    """What the client is told of it."""
    known = {name: session[name] for name in KNOWN if name in session}
    return {"type": "realtime", "output_modalities": ["audio"], **known, "model": model}
