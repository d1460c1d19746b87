"""What is counted of sessions: by campaign, direction and other labels, of which there is a closed set each."""

import time
from collections.abc import Callable
from typing import Final

import msgspec
from glottis import CallEvent, CallInfo, StateChanged, Statistics, StatisticsReported
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.process_collector import ProcessCollector

from glottis_metrics import quality
from glottis_metrics.quality import Quality
from glottis_metrics.reasons import reason_label

SETUP: Final = (0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0)
DURATION: Final = (1, 5, 10, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200)
JITTER: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2)
ROUND_TRIP: Final = (0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0)
LOSS: Final = (0.0, 0.001, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5)
MOS: Final = (1.0, 1.5, 2.0, 2.5, 3.0, 3.25, 3.5, 3.75, 4.0, 4.1, 4.2, 4.3, 4.4)
CANDIDATE_TYPES: Final = ("host", "srflx", "prflx", "relay")
PROTOCOLS: Final = ("udp", "tcp", "relay")


class Meter:
    """Of all sessions of a process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.created = self._counter("sessions_created", "Sessions that were created.", "campaign")
        self.ended = self._counter("sessions_ended", "Sessions that have ended, by why.", "campaign", "reason")
        self.setup = self._histogram(
            "session_setup_seconds", "From the creation of a session to media.", SETUP, "campaign"
        )
        self.duration = self._histogram(
            "session_duration_seconds", "From the creation of a session to its end.", DURATION, "campaign"
        )
        self.packets = self._counter("rtp_packets", "RTP packets of calls.", "direction")
        self.octets = self._counter("rtp_payload_bytes", "Bytes of their payloads.", "direction")
        self.lost = self._counter("rtp_packets_lost", "Of these, lost on the way.", "direction")
        self.samples = self._counter("samples", "Samples that agents were given, by how they came about.", "source")
        self.lateness = self._counter(
            "rtp_send_lateness_seconds", "Seconds after they were due at which packets left, all together."
        )
        self.counts = self._counter("call_counts", "What was of no use, or dropped, of calls that have ended.", "what")
        self.pairs = self._counter(
            "candidate_pairs", "Calls, by the pair of candidates at their end.", "local", "remote", "protocol"
        )
        self.loss = self._histogram(
            "loss_ratio", "Share of packets lost in each 5 s of a call, less what was recovered.", LOSS, "direction"
        )
        self.jitter = self._histogram("jitter_seconds", "Interarrival jitter, each 5 s.", JITTER, "direction")
        self.round_trip = self._histogram("round_trip_seconds", "Round trip to callers, each 5 s.", ROUND_TRIP)
        self.mos = self._histogram(
            "mos", "Mean opinion score in each 5 s of a call, estimated by ITU-T G.107.", MOS, "direction"
        )

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"glottis_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"glottis_{name}", text, labels, buckets=buckets, registry=self.registry)

    def observe(self, call_info: CallInfo) -> "SessionMeter":
        """A new session."""
        self.created.labels(call_info.campaign_id).inc()
        return SessionMeter(self, call_info.campaign_id)


class SessionMeter:
    """A ``SessionObserver``."""

    def __init__(self, meter: Meter, campaign_id: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._meter = meter
        self._campaign_id = campaign_id
        self._clock = clock
        self._created_at = clock()
        self._before = Statistics()

    def event(self, event: CallEvent) -> None:
        """See ``SessionObserver``."""
        if isinstance(event, StatisticsReported):
            self._count(event.statistics)
            self._judge(event.statistics)
            self._before = event.statistics
        elif isinstance(event, StateChanged) and event.state == "active":
            self._meter.setup.labels(self._campaign_id).observe(self._clock() - self._created_at)

    def ended(self, reason: str, statistics: Statistics) -> None:
        """See ``SessionObserver``."""
        meter = self._meter
        self._count(statistics)
        meter.ended.labels(self._campaign_id, reason_label(reason)).inc()
        meter.duration.labels(self._campaign_id).observe(self._clock() - self._created_at)
        for what, count in msgspec.structs.asdict(statistics.counters).items():
            if count:
                meter.counts.labels(what).inc(count)
        if (pair := statistics.candidate_pair) is not None:
            meter.pairs.labels(
                _one_of(CANDIDATE_TYPES, pair.local_candidate_type),
                _one_of(CANDIDATE_TYPES, pair.remote_candidate_type),
                _one_of(PROTOCOLS, pair.protocol),
            ).inc()

    def _count(self, now: Statistics) -> None:
        """What has been added since the last time."""
        meter, before = self._meter, self._before
        new, old = now.inbound_rtp, before.inbound_rtp
        if new is not None:
            old = old if old is not None and old.ssrc == new.ssrc else None
            for counter, label, name in (
                (meter.packets, "received", "packets_received"),
                (meter.octets, "received", "bytes_received"),
                (meter.lost, "received", "packets_lost"),
                (meter.samples, "all", "total_samples_received"),
                (meter.samples, "concealed", "concealed_samples"),
                (meter.samples, "fec", "fec_recovered_samples"),
                (meter.samples, "red", "red_recovered_samples"),
            ):
                _add(counter.labels(label), new, old, name)
        if (sent := now.outbound_rtp) is not None:
            _add(meter.packets.labels("sent"), sent, before.outbound_rtp, "packets_sent")
            _add(meter.octets.labels("sent"), sent, before.outbound_rtp, "bytes_sent")
            _add(meter.lateness, sent, before.outbound_rtp, "total_packet_send_lateness")
        if (told := now.remote_inbound_rtp) is not None:
            _add(meter.lost.labels("sent"), told, before.remote_inbound_rtp, "packets_lost")

    def _judge(self, now: Statistics) -> None:
        self._note("received", quality.received(self._before, now))
        self._note("sent", quality.sent(now))

    def _note(self, direction: str, found: Quality | None) -> None:
        if found is None:
            return
        meter = self._meter
        meter.loss.labels(direction).observe(found.loss)
        meter.mos.labels(direction).observe(found.mos)
        if found.jitter is not None:
            meter.jitter.labels(direction).observe(found.jitter)
        if found.round_trip is not None and direction == "sent":
            meter.round_trip.observe(found.round_trip)


def _add(counter: Counter, now: object, before: object | None, name: str) -> None:
    """By how much it has grown: losses may become fewer again, when what was thought to be lost has come."""
    counter.inc(max(0.0, getattr(now, name) - getattr(before, name, 0)))


def _one_of(known: tuple[str, ...], value: str) -> str:
    return value if value in known else "other"
