"""All that the extension keeps in a process: who sends spans, and the calls that its routes tell of."""

import time
import zlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec
import trio
from glottis import CallInfo, GatewayParts, Route, RouteRequest, RouteResponse, Statistics, Tell

from glottis_opentelemetry.calls import Calls
from glottis_opentelemetry.observer import SessionTrace, traced_call
from glottis_opentelemetry.settings import OpenTelemetryConfig

if TYPE_CHECKING:
    from glottis_opentelemetry.spans import Spans

NAME: Final = "opentelemetry"
"""By which the processes of a gateway tell each other their calls."""
MOST_TOLD: Final = 48 * 1024
"""Bytes that one process may tell another."""


class Desk:
    """Of one gateway, or one process of it. ``clock`` is the calls', in seconds; ``now`` tells seconds since 1970."""

    def __init__(
        self,
        settings: OpenTelemetryConfig,
        spans: "Spans",
        clock: Callable[[], float] = trio.current_time,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.calls = Calls(settings.max_calls)
        self._settings = settings
        self._spans = spans
        self._clock = clock
        self._now = now

    def observe(self, info: CallInfo, tell: Tell, statistics: Callable[[], Statistics]) -> SessionTrace:
        """A new session."""
        call = traced_call(info, self._now())
        self.calls.add(call)
        span = self._spans.begin(call, info.traceparent)
        told = tell if self._settings.tell_clients else None
        return SessionTrace(call, span, clock=self._clock, statistics=statistics, tell=told)

    def close(self, patience: float) -> None:
        """See ``Spans.close``."""
        self._spans.close(patience)

    def figures(self) -> dict[str, int]:
        """See ``Spans.figures``."""
        return self._spans.figures()

    async def tell(self) -> bytes:
        """The calls of this process, for another one: as many of the latest as may be told."""
        calls = [call.whole() for call in self.calls.latest()]
        return await trio.to_thread.run_sync(_packed, self.figures(), calls)


def _packed(figures: dict[str, int], calls: list[dict[str, Any]]) -> bytes:
    while len(packed := zlib.compress(msgspec.json.encode((figures, calls)))) > MOST_TOLD:
        calls = calls[: len(calls) // 2]
    return packed


def _unpacked(told: Mapping[int, bytes]) -> tuple[dict[str, int], list[dict[str, Any]]]:
    kind = tuple[dict[str, int], list[dict[str, Any]]]
    parts = [msgspec.json.decode(zlib.decompress(part), type=kind) for part in told.values()]
    calls = sorted((call for _, some in parts for call in some), key=_creation, reverse=True)
    whole = Counter[str]()
    for figures, _ in parts:
        whole.update(figures)
    return whole, calls


def _creation(call: Mapping[str, Any]) -> float:
    return float(call["createdAt"])


class CallRoutes:
    """For operators: the last calls, and one of them with its turns."""

    def __init__(self) -> None:
        self.parts: GatewayParts | None = None
        """None where there is one process alone."""
        self.desk: Desk | None = None
        """None while there is no extension that traces."""

    def routes(self) -> Sequence[Route]:
        """Below ``/api/plugins/opentelemetry``."""
        return [
            Route("GET", "/calls", "operator", self._list),
            Route("GET", "/calls/{session_id}", "operator", self._show),
        ]

    async def _list(self, request: RouteRequest) -> RouteResponse:
        figures: Mapping[str, int] = {}
        calls: list[dict[str, Any]] = []
        if self.parts is not None:
            figures, calls = await _collected(self.parts)
            for one in calls:
                del one["turns"]
        elif self.desk is not None:
            figures, calls = self.desk.figures(), [call.summary() for call in self.desk.calls.latest()]
        return RouteResponse.json({"spans": figures, "calls": calls})

    async def _show(self, request: RouteRequest) -> RouteResponse:
        session_id = request.parameters["session_id"]
        if self.desk is not None and (call := self.desk.calls.find(session_id)) is not None:
            return RouteResponse.json(call.whole())
        if self.parts is not None:
            for one in (await _collected(self.parts))[1]:
                if one["sessionId"] == session_id:
                    return RouteResponse.json(one)
        return RouteResponse.problem(404, "UNKNOWN_CALL", "No such call is known, or not any more.")


async def _collected(parts: GatewayParts) -> tuple[dict[str, int], list[dict[str, Any]]]:
    return await trio.to_thread.run_sync(_unpacked, await parts.collect(NAME))
