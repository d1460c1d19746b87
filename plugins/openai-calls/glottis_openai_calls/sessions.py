"""Sessions as clients describe them: merged, and told again with what is so."""

from collections.abc import Mapping
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
    """The session with these changes; of ``audio`` and the like, member by member."""
    whole = dict(session)
    for name, value in changes.items():
        before = whole.get(name)
        whole[name] = {**before, **value} if isinstance(before, dict) and isinstance(value, dict) else value
    return whole


def described(session: Mapping[str, Any], model: str) -> dict[str, Any]:
    """What the client is told of it."""
    known = {name: session[name] for name in KNOWN if name in session}
    return {"type": "realtime", "output_modalities": ["audio"], **known, "model": model}
