"""What is counted of the gateway as a whole, as metrics of the moment at which they are asked for."""

import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from glottis import GatewayFigures
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

MAX_ACTIONS: Final = 500
"""Things that plugins were asked for, of which there are metrics: each configured agent is one, and each route."""

GAUGES: Final = {
    "lateness_p99": ("wheel_lateness_p99_seconds", "Within which 99 % of the wheel's turns began, since the start."),
    "longest_lateness": ("wheel_lateness_longest_seconds", "Of a turn of the wheel, since the start."),
    "turn_length": ("wheel_turn_seconds", "How long the wheel's turns are; they become longer under load."),
    "longest_collection": ("gc_longest_seconds", "The longest garbage collection since the start."),
    "media_load": ("media_load_ratio", "The share of time that media takes at present."),
    "complexity": ("encoder_complexity", "At which calls are encoded at present."),
    "agent_processes": ("agent_processes", "Processes of agents that there are."),
    "turn_addresses": ("turn_addresses", "Addresses that TURN servers lend at present."),
    "turn_servers_failing": ("turn_servers_failing", "TURN servers that were asked and lend nothing at present."),
}
"""Of ``GatewayFigures.counts``, what may become less; all others are counters."""


class _Everything:
    """A registry, and what the gateway tells now."""

    def __init__(self, registry: CollectorRegistry, figures: GatewayFigures) -> None:
        self._registry = registry
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        """See ``prometheus_client.registry.Collector``. When each counter was made would be half of all."""
        for metric in self._registry.collect():
            metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
            yield metric
        yield from of_gateway(self._figures)


def exposition(registry: CollectorRegistry, figures: GatewayFigures) -> bytes:
    """As text for Prometheus. May take long: it is for a thread."""
    return generate_latest(_Everything(registry, figures))


def together(told: Mapping[int, bytes]) -> bytes:
    """What several processes tell, compressed, as one text; each sample has the number of its process as ``worker``."""
    registry = CollectorRegistry()
    registry.register(_Fixed(_families(told)))
    return generate_latest(registry)


class _Fixed:
    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = tuple(metrics)

    def collect(self) -> Iterator[Metric]:
        """See ``prometheus_client.registry.Collector``."""
        return iter(self._metrics)


def _families(told: Mapping[int, bytes]) -> Iterable[Metric]:
    families: dict[str, Metric] = {}
    for worker, compressed in sorted(told.items()):
        for part in text_string_to_metric_families(zlib.decompress(compressed).decode()):
            family = families.setdefault(part.name, Metric(part.name, part.documentation, part.type))
            family.samples += [one._replace(labels={**one.labels, "worker": str(worker)}) for one in part.samples]
    return families.values()


def of_gateway(figures: GatewayFigures) -> Iterator[Metric]:
    """Its metrics."""
    sessions = GaugeMetricFamily("glottis_sessions", "Sessions that there are.", labels=("campaign", "state"))
    for (campaign, state), count in sorted(figures.sessions.items()):
        sessions.add_metric((campaign, state), count)
    yield sessions
    yield HistogramMetricFamily(
        "glottis_wheel_lateness_seconds",
        "How late the turns of the wheel began, which all calls feel alike.",
        buckets=[("+Inf" if bound == float("inf") else str(bound), n) for bound, n in figures.lateness.at_most.items()],
        sum_value=None,
    )
    yield CounterMetricFamily("glottis_gc_collections", "Garbage collections.", figures.collections)
    yield CounterMetricFamily("glottis_gc_seconds", "Seconds in garbage collections.", figures.collection_seconds)
    for name, value in figures.counts.items():
        if name in GAUGES:
            yield GaugeMetricFamily(f"glottis_{GAUGES[name][0]}", GAUGES[name][1], value)
        else:
            yield CounterMetricFamily(f"glottis_{name}", "See GatewayCounts.", value)
    refused = CounterMetricFamily(
        "glottis_requests_refused", "Requests that came to nothing, by why.", labels=("code",)
    )
    for code, count in figures.refusals.items():
        refused.add_metric((code,), count)
    yield refused
    yield from _of_plugins(figures)


def _of_plugins(figures: GatewayFigures) -> Iterable[Metric]:
    labels = ("plugin", "action")
    calls = CounterMetricFamily("glottis_plugin_calls", "What plugins were asked for.", labels=labels)
    errors = CounterMetricFamily("glottis_plugin_errors", "Of these, what has failed.", labels=labels)
    slow = CounterMetricFamily("glottis_plugin_slow", "Of these, what took longer than there is time.", labels=labels)
    seconds = CounterMetricFamily("glottis_plugin_seconds", "Seconds that all of it took.", labels=labels)
    for one in figures.plugins[:MAX_ACTIONS]:
        values = (one.plugin, one.action)
        calls.add_metric(values, one.calls)
        errors.add_metric(values, one.errors)
        slow.add_metric(values, one.slow)
        seconds.add_metric(values, one.seconds)
    return calls, errors, slow, seconds
