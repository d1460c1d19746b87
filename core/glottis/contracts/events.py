"""What happens to a call, in types: the agent is given them, and the client the same as JSON (CONTRACT §5)."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Final

from glottis.contracts.checks import check_instance, check_text
from glottis.contracts.statistics import Statistics, camel_case


@dataclass(frozen=True, slots=True, kw_only=True)
class _Event:
    name: ClassVar[str]
    """That of the client's ``event`` message."""

    @property
    def data(self) -> Mapping[str, Any]:
        """The members of the client's ``data``; what is empty is left out."""
        members = ((field.name, getattr(self, field.name)) for field in fields(self))
        return {camel_case(name): value for name, value in members if value != ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class StateChanged(_Event):
    """The session is ``connecting``, ``active`` or ``ending``, for this reason if there is one to give."""

    name: ClassVar[str] = "state"
    state: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionChanged(_Event):
    """The media connection has another state of W3C's ``RTCPeerConnectionState``. ``disconnected`` may recover."""

    name: ClassVar[str] = "connection"
    state: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaNegotiated(_Event):
    """The audio that is in force: the codec's encoding name, the length of packets, and the agent's rate in hertz."""

    name: ClassVar[str] = "media"
    codec: str
    frame_duration_ms: float
    sample_rate: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StatisticsReported(_Event):
    """How the call has fared so far."""

    name: ClassVar[str] = "statistics"
    statistics: Statistics

    @property
    def data(self) -> Mapping[str, Any]:
        """See ``Statistics.to_json``."""
        return self.statistics.to_json()


@dataclass(frozen=True, slots=True, kw_only=True)
class Interrupted(_Event):
    """The caller seems gone: nothing is said to it until it is back."""

    name: ClassVar[str] = "interrupted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed(_Event):
    """The caller is back."""

    name: ClassVar[str] = "resumed"


@dataclass(frozen=True, slots=True)
class OtherEvent:
    """An event of any other name: a client is told of what the gateway's agent calls so."""

    name: str
    data: Mapping[str, Any]


OWN_EVENTS: Final = frozenset(
    event.name for event in (ConnectionChanged, Interrupted, MediaNegotiated, Resumed, StateChanged, StatisticsReported)
) | {"dtmf", "flush", "ice_servers", "mark", "restart_ice", "resume"}
"""Names of those that the gateway tells clients of (docs/client.md), and nobody else does."""


def check_event(name: object, data: object) -> None:
    """Raises ``ValueError`` for what no agent or extension can tell a client."""
    check_text("name", name)
    check_instance("data", data, Mapping)
    if not name:
        raise ValueError("name: expected one that is not empty")
    if name in OWN_EVENTS:
        raise ValueError(f"name: {name!r} is an event of the gateway's own: take another")


CallEvent = StateChanged | ConnectionChanged | MediaNegotiated | StatisticsReported | Interrupted | Resumed | OtherEvent
