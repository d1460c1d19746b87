"""What a session wishes of an agent, as the gateway's agents hear it, and what of the session is in force."""

from collections.abc import Collection, Mapping
from typing import Any, Final

SERVER_VAD: Final = "server_vad"
SEMANTIC_VAD: Final = "semantic_vad"
EAGERNESS: Final = {"low": "low", "medium": "medium", "high": "high", "auto": "medium"}
"""As the gateway's agents know it, by the API's words."""
SLOWEST: Final = 0.25
FASTEST: Final = 1.5


def wished(session: Mapping[str, Any]) -> dict[str, Any]:
    """``Wishes``, for the metadata of a call."""
    detection = _detection(session)
    return {
        "detection": detection is not None,
        "answers": detection is not None and detection.get("create_response") is not False,
        "interruptions": detection is not None and detection.get("interrupt_response") is not False,
        "eagerness": EAGERNESS[_eagerness(detection)] if _is_semantic(detection) else "",
        "texts": False,
        "instructions": "",
        "functions": [],
        **wished_of_one(session),
    }


def wished_of_one(response: Mapping[str, Any]) -> dict[str, Any]:
    """Those that a response has of its own, beside the session's: only those."""
    found: dict[str, Any] = {}
    if "instructions" in response:
        found["instructions"] = response["instructions"] or ""
    if "tools" in response:
        found["functions"] = _functions(response)
    if response.get("tool_choice") == "none":
        found["functions"] = []
    if "output_modalities" in response:
        found["speaks"] = response["output_modalities"] != ["text"]
    if "max_output_tokens" in response:
        tokens = response["max_output_tokens"]
        found["maxTokens"] = tokens if isinstance(tokens, int) else None
    if "tool_choice" in response:
        choice = response["tool_choice"]
        found["choice"] = {"name": choice["name"]} if isinstance(choice, dict) else choice or "auto"
    output = _part(response, "output")
    if (voice := _voice(output)) is not None:
        found["voice"] = voice
    if output.get("speed") is not None:
        found["pace"] = output["speed"]
    return found


def in_force(session: Mapping[str, Any], honoured: Collection[str], voices: Collection[str] = ()) -> dict[str, Any]:
    """The session as it is, whatever was wished: an agent that has said nothing goes by itself."""
    wishes = wished(session)
    answers, interruptions = ("turns" not in honoured or wishes[name] for name in ("answers", "interruptions"))
    detection = {"type": SERVER_VAD, "create_response": answers, "interrupt_response": interruptions}
    if wishes["eagerness"] and "eagerness" in honoured:
        detection |= {"type": SEMANTIC_VAD, "eagerness": _eagerness(_detection(session))}
    finds_turns = "detection" not in honoured or wishes["detection"]
    output = {"voice": wishes["voice"]} if wishes.get("voice") in voices else {}
    if "pace" in honoured:
        output["speed"] = wishes.get("pace", 1.0)
    whole: dict[str, Any] = {
        "type": "realtime",
        "model": session.get("model", ""),
        "output_modalities": modalities(wishes, honoured),
        "audio": {
            "input": {"turn_detection": detection if finds_turns else None},
            **({"output": output} if output else {}),
        },
        "tools": _functions(session) if "functions" in honoured else [],
        "tool_choice": _choice(session, honoured),
    }
    if "instructions" in honoured and wishes["instructions"]:
        whole["instructions"] = wishes["instructions"]
    if "length" in honoured and "max_output_tokens" in session:
        whole["max_output_tokens"] = session["max_output_tokens"]
    return whole


def modalities(wishes: Mapping[str, Any], honoured: Collection[str]) -> list[str]:
    """As which answers come, with an agent that goes by these."""
    return ["text"] if "speech" in honoured and wishes.get("speaks") is False else ["audio"]


def is_by_hand(told: Mapping[str, Any]) -> bool:
    """Whether the client says when something was said, in a session as it is ``in_force``."""
    return bool(told) and told["audio"]["input"]["turn_detection"] is None


def wrong_with_wishes(session: Mapping[str, Any], path: str = "session") -> str:
    """What is, if anything: the first that no agent could make sense of."""
    if not isinstance(session.get("instructions") or "", str):
        return f"{path}.instructions: expected a string"
    if not isinstance(session.get("audio", {}), dict):
        return f"{path}.audio: expected an object"
    if session.get("output_modalities", ["audio"]) not in (["audio"], ["text"]):
        return f'{path}.output_modalities: expected ["audio"] or ["text"]'
    tokens = session.get("max_output_tokens", "inf")
    if tokens != "inf" and (isinstance(tokens, bool) or not isinstance(tokens, int) or not 1 <= tokens <= 4096):
        return f"{path}.max_output_tokens: expected a number from 1 to 4096, or inf"
    speed = _part(session, "output").get("speed")
    speed = 1 if speed is None else speed
    if isinstance(speed, bool) or not isinstance(speed, int | float) or not SLOWEST <= speed <= FASTEST:
        return f"{path}.audio.output.speed: expected a number from {SLOWEST} to {FASTEST}"
    return _wrong_with_detection(session, path) or _wrong_with_tools(session, path)


def _wrong_with_detection(session: Mapping[str, Any], path: str) -> str:
    detection, at = _detection(session) or {}, f"{path}.audio.input.turn_detection"
    if detection.get("type") not in (None, SERVER_VAD, SEMANTIC_VAD):
        return f"{at}.type: expected {SERVER_VAD} or {SEMANTIC_VAD}"
    eagerness = detection.get("eagerness")
    if eagerness is not None and (not isinstance(eagerness, str) or eagerness not in EAGERNESS):
        return f"{at}.eagerness: expected low, medium, high or auto"
    return ""


def _wrong_with_tools(session: Mapping[str, Any], path: str) -> str:
    tools = session.get("tools", [])
    if not isinstance(tools, list):
        return f"{path}.tools: expected a list"
    for tool in tools:
        match tool:
            case {"type": "function", "name": str(name)} if 0 < len(name) <= 64:
                if not isinstance(tool.get("description") or "", str):
                    return f"{path}.tools: expected descriptions to be strings"
                if not isinstance(tool.get("parameters") or {}, dict):
                    return f"{path}.tools: expected parameters to be a JSON Schema"
            case {"type": "mcp"}:
                return f"{path}.tools: MCP is not there; send functions"
            case _:
                return f"{path}.tools: expected functions with a name of at most 64 characters"
    match session.get("tool_choice", "auto"):
        case None | "auto" | "none" | "required" | {"type": "function", "name": str()}:
            return ""
    return f"{path}.tool_choice: expected auto, none, required, or a function by its name"


def _choice(session: Mapping[str, Any], honoured: Collection[str]) -> Any:
    choice = session.get("tool_choice") or "auto"
    known = ("none", "auto") if "choice" not in honoured else ("none", "auto", "required")
    if isinstance(choice, dict):
        return {"type": "function", "name": choice["name"]} if "choice" in honoured else "auto"
    return choice if "functions" in honoured and choice in known else "auto"


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


def _part(session: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """``audio.input`` or ``audio.output``."""
    inner: Any = session
    for each in ("audio", name):
        inner = inner.get(each) if isinstance(inner, Mapping) else None
    return inner if isinstance(inner, Mapping) else {}


def _voice(output: Mapping[str, Any]) -> str | None:
    match output.get("voice"):
        case str(voice) | {"id": str(voice)}:
            return voice
    return None


def _is_semantic(detection: Mapping[str, Any] | None) -> bool:
    return detection is not None and detection.get("type") == SEMANTIC_VAD


def _eagerness(detection: Mapping[str, Any] | None) -> str:
    return str((detection or {}).get("eagerness") or "auto")


def _detection(session: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """None where the client wants to say itself when something was said."""
    found = _part(session, "input").get("turn_detection", {})
    return found if found is None or isinstance(found, Mapping) else {}
