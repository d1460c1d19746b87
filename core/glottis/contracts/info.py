"""Who calls, and what was asked for when the session was created."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from glottis.contracts.checks import check_integer, check_name, check_seconds, check_texts

MAX_IDENTIFIER_LENGTH: Final = 256
"""Characters of a campaign's and a client's identifier, and of a business's that is a string."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Whoever the auth scheme recognised. ``name`` is safe to log: one line of at most ``MAX_IDENTIFIER_LENGTH``."""

    name: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    max_sessions: int | None = None
    """How many sessions it may have at a time, wherever they come from; None: as many as anybody."""
    max_call_time: float | None = None
    """Seconds that a call of its may last; None: as long as anybody's."""

    def __post_init__(self) -> None:
        check_name("Principal.name", self.name, MAX_IDENTIFIER_LENGTH)
        check_texts("Principal.attributes", self.attributes)
        if self.max_sessions is not None:
            check_integer("Principal.max_sessions", self.max_sessions, 0)
        if self.max_call_time is not None:
            check_seconds("Principal.max_call_time", self.max_call_time)


@dataclass(frozen=True, slots=True)
class AudioPreference:
    """One direction of the request's ``audioConfig``: a wish, not what was negotiated."""

    codec: str = "OPUS"
    sample_rate: int = 48000
    bits_per_sample: int = 16
    channels: int = 1
    frame_ms: float | None = None


@dataclass(frozen=True, slots=True)
class CallInfo:
    """The fields of the session request, and what the gateway knows beside them.

    ``input`` is the direction from the caller, ``output`` the one to the caller. ``metadata`` is what the request held;
    messages of the type ``metadata`` add to it, and ``Call.info`` is then a new value. In ``Call.info`` both objects of
    the request are dicts; who is asked before there is a call gets mappings that decode their text when looked at.
    """

    session_id: str
    campaign_id: str
    business_id: int | str | None = None
    client_identifier: str | None = None
    dynamic_variables: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    transport: str = "WebRTC"
    input: AudioPreference = AudioPreference()
    output: AudioPreference = AudioPreference()
    principal: Principal = Principal("anonymous")
    client_host: str = ""
    campaign_settings: Any = field(default_factory=dict)
    """Those of the campaign's agent, as its ``config_type``; a mapping of what is written there, where it has none."""
    relays_only: bool = False
    """Whether the caller has asked for that: then media leaves the gateway by TURN servers alone."""
    traceparent: str = ""
    """What the request for the session belongs to, as W3C Trace Context has it (§3.2); empty where it says nothing."""
