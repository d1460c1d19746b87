"""What a session wishes of an agent, as the gateway's agents hear it, and what of the session is in force."""

from collections.abc import Collection, Mapping
from typing import Any, Final

SERVER_VAD: Final = "server_vad"


def wished(session: Mapping[str, Any]) -> dict[str, Any]:
    """``Wishes``, for the metadata of a call."""
    detection = _detection(session)
    return {
        "detection": detection is not None,
        "instructions": session.get("instructions") or "",
        "functions": [] if session.get("tool_choice") == "none" else _functions(session),
        "answers": detection is not None and detection.get("create_response") is not False,
        "interruptions": detection is not None and detection.get("interrupt_response") is not False,
    }


def in_force(session: Mapping[str, Any], honoured: Collection[str]) -> dict[str, Any]:
    """The session as it is, whatever was wished: an agent that has said nothing goes by itself."""
    wishes = wished(session)
    answers, interruptions = ("turns" not in honoured or wishes[name] for name in ("answers", "interruptions"))
    detection = {"type": SERVER_VAD, "create_response": answers, "interrupt_response": interruptions}
    finds_turns = "detection" not in honoured or wishes["detection"]
    whole: dict[str, Any] = {
        "type": "realtime",
        "model": session.get("model", ""),
        "output_modalities": ["audio"],
        "audio": {"input": {"turn_detection": detection if finds_turns else None}},
        "tools": [],
        "tool_choice": "auto",
    }
    if "instructions" in honoured and session.get("instructions"):
        whole["instructions"] = session["instructions"]
    if "functions" in honoured:
        whole["tools"] = _functions(session)
        whole["tool_choice"] = "none" if session.get("tool_choice") == "none" else "auto"
    return whole


def is_by_hand(told: Mapping[str, Any]) -> bool:
    """Whether the client says when something was said, in a session as it is ``in_force``."""
    return bool(told) and told["audio"]["input"]["turn_detection"] is None


def wrong_with_wishes(session: Mapping[str, Any]) -> str:
    """What is, if anything: the first that no agent could make sense of."""
    if not isinstance(session.get("instructions") or "", str):
        return "session.instructions: expected a string"
    if not isinstance(session.get("audio", {}), dict):
        return "session.audio: expected an object"
    tools = session.get("tools", [])
    if not isinstance(tools, list):
        return "session.tools: expected a list"
    for tool in tools:
        match tool:
            case {"type": "function", "name": str(name)} if 0 < len(name) <= 64:
                if not isinstance(tool.get("description") or "", str):
                    return "session.tools: expected descriptions to be strings"
                if not isinstance(tool.get("parameters") or {}, dict):
                    return "session.tools: expected parameters to be a JSON Schema"
            case {"type": "mcp"}:
                return "session.tools: MCP is not there; send functions"
            case _:
                return "session.tools: expected functions with a name of at most 64 characters"
    return ""


def _functions(session: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "type": "function",
            "name": tool["name"],
            "description": tool.get("description") or "",
            "parameters": tool.get("parameters") or {"type": "object", "properties": {}},
        }
        for tool in session.get("tools", [])
    ]


def _detection(session: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """None where the client wants to say itself when something was said."""
    inner: Any = session
    for name in ("audio", "input"):
        inner = inner.get(name) if isinstance(inner, Mapping) else None
    found = inner.get("turn_detection", {}) if isinstance(inner, Mapping) else {}
    return found if found is None or isinstance(found, Mapping) else {}
