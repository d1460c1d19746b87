"""A collector that is away, refuses or hangs is said once, and what is kept and told is bounded."""

import logging
import socket
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from glottis import CallInfo, ConfigurationError, OtherEvent, RouteRequest, RouteResponse, Secret, Statistics
from glottis.contracts.parts import OnePart
from glottis_opentelemetry import OpenTelemetryConfig
from glottis_opentelemetry.calls import MAX_TURNS, Calls, TracedCall
from glottis_opentelemetry.desk import MOST_TOLD, NAME, CallRoutes, Desk
from glottis_opentelemetry.observer import SessionTrace, told_reason
from glottis_opentelemetry.spans import Spans
from support.collector import Collector, open_collector

Log = pytest.LogCaptureFixture


def nothing() -> Statistics:
    return Statistics()


def tell_nobody(name: str, data: Mapping[str, Any]) -> None:
    """There is no client."""


def new_desk(collector: Collector, **settings: Any) -> tuple[Desk, Spans]:
    config = OpenTelemetryConfig(
        endpoint=collector.endpoint, timeout=0.1, headers={"key": Secret("hunter2")}, **settings
    )
    spans = Spans(config, "1.0", "here")
    return Desk(config, spans, clock=lambda: 0.0, now=lambda: 1e9), spans


def observe(desk: Desk, number: int) -> SessionTrace:
    return desk.observe(CallInfo(f"session-{number}", "hotline"), tell_nobody, nothing)


def call(desk: Desk, number: int) -> None:
    observe(desk, number).ended("the caller hung up: by the way, hunter2", Statistics())


def told(caplog: Log) -> list[str]:
    return [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize("reply", [503, 400, "hangs", "is away"])
def test_an_outage_is_told_once_and_ends_by_itself(reply: int | str, caplog: Log) -> None:
    caplog.set_level(logging.INFO)
    with open_collector(Collector(lambda: reply if isinstance(reply, int) else None)) as collector:
        port = collector.port
        if reply == "is away":
            with socket.socket() as taken:
                taken.bind(("127.0.0.1", 0))
                collector.port = taken.getsockname()[1]
                desk, spans = new_desk(collector)
                for number in range(2):
                    call(desk, number)
                    spans.flush()
                collector.port = port
        else:
            desk, spans = new_desk(collector)
            for number in range(2):
                call(desk, number)
                spans.flush()
            collector.replies = lambda: 200
            call(desk, 3)
            spans.flush()
            assert [span.name for span in collector.spans] == ["call"]
        spans.close(0.5)
    place = "the collector at http://127.0.0.1:"
    assert [line.startswith(place) for line in told(caplog)] == [True] * (1 if reply == "is away" else 2)
    assert "takes no traces: they are lost until it does" in told(caplog)[0]
    assert spans.exporter.lost == 2
    assert "hunter2" not in caplog.text


@pytest.mark.slow
def test_of_spans_that_wait_the_oldest_give_way() -> None:
    with open_collector(Collector(lambda: None)) as collector:
        desk, spans = new_desk(collector, max_spans=512)
        for number in range(1500):
            call(desk, number)
        spans.close(0.0)
    assert spans.figures()["ended"] == 1500
    assert spans.exporter.sent == 0
    assert spans.exporter.lost <= 2 * 512


def test_calls_that_go_on_are_kept_longest() -> None:
    calls = Calls(2)
    for number in range(4):
        one = TracedCall(str(number), "hotline", "WebRTC", 0.0, ended=None if number == 0 else 1.0)
        calls.add(one)
    assert [one.session_id for one in calls.latest()] == ["3", "0"]


class TwoParts(OnePart):
    """Two processes that have the same to tell."""

    number = 1  # type: ignore[misc]

    async def collect(self, name: str) -> Mapping[int, bytes]:
        told = await super().collect(name)
        return dict.fromkeys((1, 2), told[self.number])


@pytest.mark.slow
@pytest.mark.parametrize("parts", [None, TwoParts()])
async def test_operators_get_the_latest_calls_of_all_processes(parts: OnePart | None) -> None:
    def document(response: RouteResponse) -> Any:
        assert isinstance(response.body, bytes)
        return msgspec.json.decode(response.body)

    with open_collector(Collector()) as collector:
        desk, spans = new_desk(collector, share=0.0)
        for number in range(70):
            session = observe(desk, number)
            for turn in range(MAX_TURNS + 5):
                spent = number * turn % 977
                session.event(OtherEvent("turn", {"latencyMs": 2 * spent + turn, "parts": {"stt": spent, "llm": turn}}))
                session.packet_sent(None, None)  # type: ignore[arg-type]  # which are not looked at
        spans.close(0.5)
    assert len(await desk.tell()) <= MOST_TOLD
    routes = CallRoutes()
    (listing, showing) = routes.routes()
    assert (listing.access, showing.access) == ("operator", "operator")
    assert document(await listing.handle(RouteRequest("GET", "/calls"))) == {"spans": {}, "calls": []}
    routes.parts, routes.desk = parts, desk
    if parts is not None:
        parts.offer(NAME, desk.tell)
    listed = document(await listing.handle(RouteRequest("GET", "/calls")))
    calls = listed["calls"]
    assert listed["spans"] == {"ended": 0, "sent": 0, "lost": 0}, "of no call spans are wanted"
    assert len(calls) >= 35
    assert calls[0]["sessionId"] == "session-69"
    assert not any("turns" in one for one in calls)
    shown = document(await showing.handle(RouteRequest("GET", "/calls/x", {"session_id": "session-69"})))
    assert (shown["sessionId"], shown["turnCount"], len(shown["turns"])) == ("session-69", 55, MAX_TURNS)
    assert (await showing.handle(RouteRequest("GET", "/calls/x", {"session_id": "session-70"}))).status == 404


def test_of_a_reason_nothing_is_kept_that_a_client_has_written() -> None:
    assert told_reason("the caller hung up: my card is 4711") == "the caller hung up"
    assert len(told_reason("x" * 1000)) == 120


@pytest.mark.parametrize(
    "endpoint", ["", "ftp://here/", "http://", "http://user:hunter2@here/", "http://here:0/", "http://here:99999/"]
)
def test_an_endpoint_that_cannot_be_one_is_refused(endpoint: str) -> None:
    with pytest.raises(ConfigurationError, match="endpoint: expected a URL") as refused:
        OpenTelemetryConfig(endpoint=endpoint)
    assert "hunter2" not in str(refused.value)
