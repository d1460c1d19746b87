"""What Prometheus is told: in its own words, of real calls, and only whom it concerns."""

import json
import re
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest
import trio
import trio.testing
from glottis import CallInfo, ConfigurationError, GatewayFigures, RouteRequest, Secret, StateChanged
from glottis.contracts.figures import Histogram, PluginFigures
from glottis.contracts.statistics import InboundRtpStats, RemoteInboundRtpStats, Statistics
from glottis.server.runtime.counts import GatewayCounts
from glottis_metrics import DESK, MetricsConfig, MetricsDesk, RouteConfig, quality
from glottis_metrics.gateway import GAUGES, MAX_ACTIONS, exposition, of_gateway, together
from glottis_metrics.reasons import OTHER, REASONS, reason_label
from glottis_metrics.scraping import PATH, listening, routes
from prometheus_client.parser import text_string_to_metric_families
from support.gateway import CONFIG
from support.http import Reply, request
from support.memory import open_memory_exchange
from support.phone import eventually

TOKEN = "a token of sixteen"
CONFIGURED = (
    CONFIG
    + f"""
[extensions]
enabled = ["metrics"]
[routes]
enabled = ["metrics"]
[routes.settings.metrics]
token = "{TOKEN}"
"""
)
DASHBOARD = Path(__file__).parents[3] / "docs" / "grafana-dashboard.json"
RECEIVED = InboundRtpStats(
    ssrc=1,
    packets_received=0,
    bytes_received=0,
    packets_lost=0,
    jitter=0.004,
    packets_discarded=0,
    jitter_buffer_delay=0.0,
    jitter_buffer_emitted_count=0,
    total_samples_received=0,
    concealed_samples=0,
    silent_concealed_samples=0,
    concealment_events=0,
    inserted_samples_for_deceleration=0,
    removed_samples_for_acceleration=0,
)

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def parsed(text: str) -> Samples:
    """By the parser of Prometheus's own client."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples[name, frozenset(labels.items())]


async def test_a_call_is_seen_from_its_creation_to_its_end(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_memory_exchange(tmp_path, CONFIGURED) as exchange:

        async def scrape() -> Samples:
            reply: Reply = await request(
                exchange.gateway,
                "GET",
                "/api/plugins/metrics/prometheus",
                connect=exchange.network.connect,
                authorization=f"Bearer {TOKEN}",
            )
            assert reply.status == 200
            assert reply.headers["content-type"].startswith("text/plain; version=")
            return parsed(reply.body.decode())

        before = await scrape()
        phone = await exchange.call()
        phone.speaking = True
        await eventually(lambda: phone.socket.events("statistics"))
        during = await scrape()
        assert value(during, "glottis_sessions", campaign="echo", state="active") == 1
        assert value(during, "glottis_rtp_packets_total", direction="received") > 200
        assert value(during, "glottis_mos_count", direction="received") >= 1
        await phone.hang_up()
        after = await scrape()
    assert ("glottis_sessions", frozenset({("campaign", "echo"), ("state", "active")})) not in after
    ended = ("glottis_sessions_ended_total", frozenset({("campaign", "echo"), ("reason", "caller")}))
    assert after[ended] - before.get(ended, 0) == 1
    assert value(after, "glottis_session_setup_seconds_count", campaign="echo") >= 1
    assert value(after, "glottis_candidate_pairs_total", local="host", remote="host", protocol="udp") >= 1
    assert value(after, "glottis_plugin_calls_total", plugin="echo", action="agent echo") >= 1
    assert value(after, "glottis_wheel_lateness_seconds_bucket", le="+Inf") > 100
    assert value(after, "glottis_gc_collections_total") >= 0
    assert DESK.figures is GatewayFigures, "nothing of the gateway is kept when it has stopped"


async def test_without_the_token_nothing_is_told() -> None:
    desk = MetricsDesk()
    (route,) = routes(desk.render, RouteConfig(token=Secret(TOKEN)))
    assert route.access == "public"
    for authorization in ("", "Bearer", f"Basic {TOKEN}", "Bearer wrong token altogether", "Bearer \udcff"):
        reply = await route.handle(RouteRequest("GET", "/prometheus", headers={"authorization": authorization}))
        assert reply.status == 401
    (route,) = routes(desk.render, RouteConfig())
    assert route.access == "operator"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (f"GET {PATH} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {TOKEN}\r\n\r\n", 200),
        (f"HEAD {PATH} HTTP/1.1\r\nHost: a\r\nAuthorization: bearer {TOKEN}\r\n\r\n", 200),
        (f"GET {PATH}?a=b HTTP/1.1\r\nHost: a\r\n\r\n", 401),
        (f"POST {PATH} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", 405),
        ("GET /other HTTP/1.1\r\nHost: a\r\n\r\n", 404),
        ("nonsense\r\n\r\n", None),
        ("GET " + "a" * 20_000, None),
        ("", None),
    ],
)
async def test_the_port_of_its_own_answers_scrapers_and_nobody_else(
    sent: str, status: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    desk = MetricsDesk()
    async with listening(desk.render, MetricsConfig(port=0, token=Secret(TOKEN))):
        (port,) = [int(record.message.rpartition(":")[2].split("/")[0]) for record in caplog.records[-1:]]
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            answer = b""
            with suppress(trio.BrokenResourceError):  # as it may be where not all was read
                await stream.send_all(sent.encode())
                await stream.send_eof()
                answer = b"".join([piece async for piece in stream])
    assert (int(answer.split()[1]) if answer else None) == status
    if status == 200 and sent.startswith("GET"):
        assert "process_cpu_seconds_total" in answer.decode()


def test_what_others_can_reach_has_a_token_that_cannot_be_guessed() -> None:
    with pytest.raises(ConfigurationError, match="token: expected one"):
        MetricsConfig(host="0.0.0.0", port=9000)
    with pytest.raises(ConfigurationError, match="at least 16 characters"):
        RouteConfig(token=Secret("short"))
    with pytest.raises(ConfigurationError, match="host: expected an IP address"):
        MetricsConfig(host="localhost")


async def test_a_port_that_is_taken_is_told() -> None:
    async with listening(MetricsDesk().render, MetricsConfig()):  # none
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = listeners[0].socket.getsockname()[1]
        with pytest.raises(ConfigurationError, match=rf"cannot listen on 127.0.0.1 port {port}"):
            async with listening(MetricsDesk().render, MetricsConfig(port=port)):
                pass
        await trio.aclose_forcefully(listeners[0])


def test_several_processes_are_told_as_one_gateway() -> None:
    figures = GatewayFigures(
        sessions={("echo", "active"): 2}, lateness=Histogram(at_most={0.001: 5, float("inf"): 7}, longest=1.0)
    )
    told = {number: zlib.compress(exposition(MetricsDesk().meter.registry, figures)) for number in (1, 3)}
    text = together(told).decode()
    assert text.count("# TYPE glottis_sessions gauge") == 1
    samples = parsed(text)
    for worker in ("1", "3"):
        assert value(samples, "glottis_sessions", campaign="echo", state="active", worker=worker) == 2
        assert value(samples, "glottis_wheel_lateness_seconds_bucket", le="0.001", worker=worker) == 5
        assert value(samples, "glottis_gc_collections_total", worker=worker) == 0
    assert together({}) == b""


@pytest.mark.parametrize(
    ("reason", "label"),
    [
        ("the caller hung up: \u202e enough", "caller"),
        ("an operator has ended the call", "operator"),
        ("the media connection failed: no consent for 30 s", "media_lost"),
        ("the signaling connection was lost and not resumed in time", "signaling_lost"),
        ("nobody connected before the token expired", "nobody_came"),
        ("the agent's process was killed", "process_lost"),
        ("thank you, good bye", OTHER),
        ("", OTHER),
    ],
)
def test_reasons_are_of_a_closed_set(reason: str, label: str) -> None:
    assert reason_label(reason) == label
    assert label in REASONS


def test_every_reason_that_the_gateway_words_has_a_label() -> None:
    """Of those that are written in its code, none is taken for an agent's own."""
    root = Path(__file__).parents[3] / "core" / "glottis" / "server" / "sessions"
    found: set[str] = set()
    for path in root.glob("*.py"):
        found |= set(re.findall(r'(?:\.end\(|_over\(|now \+ [\w.]+, |grace_over, )f?"([^"{]+)', path.read_text()))
    assert len(found) >= 6
    assert {reason for reason in found if reason_label(reason) == OTHER} == set()


def test_each_count_of_the_gateway_is_a_metric_and_none_is_forgotten() -> None:
    counts = dict.fromkeys(GatewayCounts.__struct_fields__, 1.0)
    assert GAUGES.keys() <= counts.keys()
    figures = GatewayFigures(
        sessions={('a\n"b', "active"): 2},
        counts=counts,
        refusals={"FULL": 3},
        lateness=Histogram(at_most={0.001: 5, float("inf"): 7}, longest=1.0),
        plugins=tuple(
            PluginFigures(
                plugin="p", distribution="d", action=f"agent {number}", calls=1, errors=0, slow=0, seconds=0.5
            )
            for number in range(2 * MAX_ACTIONS)
        ),
    )
    samples = parsed(exposition(MetricsDesk().meter.registry, figures).decode())
    assert value(samples, "glottis_sessions", campaign='a\n"b', state="active") == 2
    assert value(samples, "glottis_requests_refused_total", code="FULL") == 3
    for name in counts:
        told = f"glottis_{GAUGES[name][0]}" if name in GAUGES else f"glottis_{name}_total"
        assert value(samples, told) == 1
    assert sum(name == "glottis_plugin_calls_total" for name, _ in samples) == MAX_ACTIONS
    assert value(samples, "glottis_wheel_lateness_seconds_bucket", le="0.001") == 5
    assert not any(name.endswith("_created") for name, _ in samples)


def test_quality_is_that_of_the_interval() -> None:
    first = Statistics(inbound_rtp=RECEIVED)
    good = Statistics(
        inbound_rtp=_changed(packets_received=250, jitter_buffer_delay=10.0, jitter_buffer_emitted_count=250)
    )
    bad = Statistics(inbound_rtp=_changed(packets_received=450, packets_lost=50))
    assert quality.received(first, first) is None
    before, after = quality.received(first, good), quality.received(good, bad)
    assert before is not None
    assert after is not None
    assert (before.loss, round(before.mos, 2)) == (0.0, 4.41)
    assert after.loss == pytest.approx(0.2)
    assert after.mos < 3.0
    report = RemoteInboundRtpStats(
        ssrc=1,
        packets_lost=1,
        fraction_lost=0.05,
        jitter=0.01,
        total_round_trip_time=0.8,
        round_trip_time_measurements=1,
        round_trip_time=0.8,
    )
    told = quality.sent(Statistics(remote_inbound_rtp=report))
    assert told is not None
    assert (told.loss, told.round_trip) == (0.05, 0.8)
    assert told.mos < 2.7, "delay counts, too"


def _changed(**changes: float) -> InboundRtpStats:
    return msgspec.structs.replace(RECEIVED, **changes)


def test_a_session_that_never_had_media_has_no_time_of_setup() -> None:
    desk = MetricsDesk()
    session = desk.meter.observe(CallInfo(session_id="s", campaign_id="c"))
    session.event(StateChanged(state="connecting"))
    session.ended("nobody connected before the token expired", Statistics())
    samples = parsed(exposition(desk.meter.registry, GatewayFigures()).decode())
    assert value(samples, "glottis_sessions_ended_total", campaign="c", reason="nobody_came") == 1
    assert ("glottis_session_setup_seconds_count", frozenset({("campaign", "c")})) not in samples


# The dashboard


def queries(panels: list[dict[str, object]]) -> Iterator[str]:
    for panel in panels:
        for target in panel.get("targets", []):  # type: ignore[attr-defined]
            yield target["expr"]


def test_every_query_of_the_dashboard_names_metrics_that_exist() -> None:
    desk = MetricsDesk()
    known = {sample.name for family in desk.meter.registry.collect() for sample in family.samples}
    known |= {f"{family.name}{ending}" for family in desk.meter.registry.collect() for ending in ("_total", "_bucket")}
    figures = GatewayFigures(counts=dict.fromkeys(GatewayCounts.__struct_fields__, 0.0))
    known |= {f"{family.name}{'_total' * (family.type == 'counter')}" for family in of_gateway(figures)}
    known |= {"glottis_wheel_lateness_seconds_bucket"}
    found = {
        name
        for expr in queries(json.loads(DASHBOARD.read_text())["panels"])
        for name in re.findall(r"\b(?:glottis|process)_\w+", expr)
    }
    assert len(found) > 15
    assert found - known == set()
