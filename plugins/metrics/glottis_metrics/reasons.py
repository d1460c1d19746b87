"""Why sessions end, as labels: what people have written is no label, for each one costs memory for good."""

from typing import Final

PREFIXES: Final = {
    "the agent ended the call": "agent",
    "an operator has ended the call": "operator",
    "the caller hung up": "caller",
    "the peer has closed the connection": "caller",
    "data channels": "caller",
    "nobody connected": "nobody_came",
    "no media connection": "no_media",
    "the media connection failed": "media_lost",
    "the call has lasted as long as it may": "call_time",
    "nobody has said anything": "silence",
    "the signaling connection was lost": "signaling_lost",
    "the agent's message is longer": "message_too_long",
    "the gateway stops": "gateway_stops",
    "internal error": "error",
    "the agent's process": "process_lost",
}
OTHER: Final = "agent_reason"
"""An agent has hung up, with a reason of its own."""
REASONS: Final = (*dict.fromkeys(PREFIXES.values()), OTHER)


def reason_label(reason: str) -> str:
    """One of ``REASONS``."""
    return next((label for prefix, label in PREFIXES.items() if reason.startswith(prefix)), OTHER)
