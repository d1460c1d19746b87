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


_BEFORE: Final[Mapping[str, Sequence[str]]] = {
    "voice": ("audio", "output", "voice"),
    "speed": ("audio", "output", "speed"),
    "turn_detection": ("audio", "input", "turn_detection"),
    "input_audio_transcription": ("audio", "input", "transcription"),
    "input_audio_noise_reduction": ("audio", "input", "noise_reduction"),
    "max_response_output_tokens": ("max_output_tokens",),
}
"""Members that clients of the API's preview have elsewhere."""


def merged(session: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The session with these changes; of ``audio.input`` and ``audio.output``, member by member."""
    return _merged(session, changes, ("audio", "input", "output"))


def _merged(whole: Mapping[str, Any], changes: Mapping[str, Any], inner: Sequence[str]) -> dict[str, Any]:
    both = {**whole, **_said(changes)}
    for name in inner:
        before, value = whole.get(name), changes.get(name)
        if isinstance(before, dict) and isinstance(value, dict):
            both[name] = _merged(before, value, () if name != "audio" else inner)
    return both


def modern(session: Mapping[str, Any]) -> dict[str, Any]:
    """A session, or a response, as clients of the API's preview have it, in the form that it has now.

    ``null`` is as good as nothing, but for the detection of turns, of which it says that there is to be none.
    """
    said = _said(session)
    found = {name: value for name, value in said.items() if name not in _BEFORE and name != "modalities"}
    for name, path in _BEFORE.items():
        if name in said:
            found = merged(found, _at(path, session[name])) if _can_take(found, path) else found
    match said.get("modalities"):
        case [*kinds] if "output_modalities" not in found:
            found["output_modalities"] = ["audio"] if "audio" in kinds or not kinds else ["text"]
    return found


def _said(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None or name == "turn_detection"}


def _at(path: Sequence[str], value: Any) -> dict[str, Any]:
    for name in reversed(path):
        value = {name: value}
    return dict(value)


def _can_take(session: Mapping[str, Any], path: Sequence[str]) -> bool:
    """Whether there is nothing else yet."""
    inner: Any = session
    for name in path:
        if not isinstance(inner, Mapping):
            return False
        if name not in inner:
            return True
        inner = inner[name]
    return False


def described(session: Mapping[str, Any], model: str) -> dict[str, Any]:
    """What the client is told of it."""
    known = {name: session[name] for name in KNOWN if name in session}
    return {"type": "realtime", "output_modalities": ["audio"], **known, "model": model}
