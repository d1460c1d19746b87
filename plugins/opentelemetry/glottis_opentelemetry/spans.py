"""Spans of OpenTelemetry's SDK, and the thread that brings them to a collector.

This module is not imported before it is used: the SDK takes a third of a second.
"""

import logging
from collections.abc import Sequence
from threading import Timer
from typing import Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from glottis_opentelemetry.calls import TracedCall
from glottis_opentelemetry.settings import OpenTelemetryConfig
from glottis_opentelemetry.waterfall import Waterfall

BATCH: Final = 512
"""Spans that are posted together."""
INTERVAL_MS: Final = 2000
"""After which what there is is posted."""
LIMITS: Final = SpanLimits(max_events=32, max_span_attributes=32, max_links=1, max_span_attribute_length=256)
NOISY: Final = ("opentelemetry.exporter.otlp.proto.http", "opentelemetry.exporter.otlp.common", "opentelemetry.sdk")
"""Loggers that tell each attempt: what is to be known of them, ``ToldOnce`` says."""

logger = logging.getLogger(__name__)


class ToldOnce(SpanExporter):
    """Says once when the collector takes no spans, and once when it does again. Used by the SDK's thread alone."""

    def __init__(self, exporter: SpanExporter, place: str) -> None:
        self._exporter = exporter
        self._place = place
        self._is_failing = False
        self.sent = 0
        self.lost = 0
        """Spans."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """See ``SpanExporter``."""
        try:
            result = self._exporter.export(spans)
        except Exception as error:  # of a library that lets through what it does not know
            logger.debug("spans cannot be sent: %s", type(error).__name__)
            result = SpanExportResult.FAILURE
        if result is SpanExportResult.SUCCESS:
            self.sent += len(spans)
            if self._is_failing:
                self._is_failing = False
                logger.info("the collector at %s takes traces again; %d spans were lost", self._place, self.lost)
        else:
            self.lost += len(spans)
            if not self._is_failing:
                self._is_failing = True
                logger.warning("the collector at %s takes no traces: they are lost until it does", self._place)
        return result

    def shutdown(self) -> None:
        """See ``SpanExporter``."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """See ``SpanExporter``."""
        return True


class CountedSpans(BatchSpanProcessor):
    """Knows how many spans were to be sent."""

    ended = 0

    def on_end(self, span: ReadableSpan) -> None:
        """See ``SpanProcessor``; the calls' thread alone ends spans."""
        self.ended += span.context is not None and span.context.trace_flags.sampled
        super().on_end(span)


class Spans:
    """Of a gateway. ``close`` is for a thread: it waits for the collector, but not for longer than a moment."""

    def __init__(self, settings: OpenTelemetryConfig, version: str, instance: str) -> None:
        for name in NOISY:
            logging.getLogger(name).setLevel(logging.CRITICAL)
        headers = {name: value.reveal() for name, value in settings.headers.items()}
        exporter = OTLPSpanExporter(
            endpoint=settings.endpoint, headers=headers, timeout=settings.timeout, compression=Compression.Gzip
        )
        self.exporter = ToldOnce(exporter, settings.place)
        resource = {"service.name": settings.service, "service.version": version, "service.instance.id": instance}
        self._provider = TracerProvider(
            sampler=ParentBased(TraceIdRatioBased(settings.share)),
            resource=Resource.create(resource),
            shutdown_on_exit=False,
            span_limits=LIMITS,
        )
        self._processor = CountedSpans(
            self.exporter,
            max_queue_size=settings.max_spans,
            schedule_delay_millis=INTERVAL_MS,
            max_export_batch_size=BATCH,
        )
        self._provider.add_span_processor(self._processor)
        self._tracer = self._provider.get_tracer("glottis", version)

    def begin(self, call: TracedCall, traceparent: str) -> "CallSpan":
        """Of a new call, which belongs to the trace of the request for it, if that has one."""
        parent = TraceContextTextMapPropagator().extract({"traceparent": traceparent}, Context())
        return CallSpan(self._tracer, call, parent)

    def figures(self) -> dict[str, int]:
        """Spans that were to be sent, were sent, and were refused; the others wait, or have given way."""
        return {"ended": self._processor.ended, "sent": self.exporter.sent, "lost": self.exporter.lost}

    def flush(self) -> None:
        """Post what there is. Blocks."""
        self._provider.force_flush()

    def close(self, patience: float) -> None:
        """Post what is left, for so many seconds."""
        impatience = Timer(patience, self.exporter.shutdown)
        impatience.daemon = True
        impatience.start()
        self.flush()
        self._provider.shutdown()
        impatience.cancel()


class CallSpan:
    """Of one call."""

    def __init__(self, tracer: trace.Tracer, call: TracedCall, parent: Context) -> None:
        self._tracer = tracer
        self._created_at = call.created_at
        self._span = tracer.start_span(
            "call",
            parent,
            SpanKind.SERVER,
            {
                "glottis.session_id": call.session_id,
                "glottis.campaign_id": call.campaign_id,
                "glottis.transport": call.transport,
            },
            start_time=_ns(call.created_at),
        )
        self._context = trace.set_span_in_context(self._span, Context())
        call.trace_id = trace.format_trace_id(self._span.get_span_context().trace_id)

    def reached(self, milestone: str, after: float) -> None:
        """So many seconds after the call was created."""
        self._span.add_event(milestone, timestamp=_ns(self._created_at + after))

    def turn(self, waterfall: Waterfall, ended: float) -> None:
        """One has begun to be answered, so many seconds after the call was created."""
        moment = self._created_at + ended - waterfall.seconds
        span = self._tracer.start_span("turn", self._context, start_time=_ns(moment))
        context = trace.set_span_in_context(span, Context())
        for name, seconds in waterfall.parts:
            part = self._tracer.start_span(name, context, start_time=_ns(moment))
            moment += seconds
            part.end(_ns(moment))
        span.end(_ns(moment))

    def end(self, call: TracedCall) -> None:
        """The call has ended."""
        self._span.set_attributes(
            {"glottis.end_reason": call.reason, "glottis.turns": call.turn_count, "glottis.codec": call.codec}
        )
        if call.reason == "internal error":
            self._span.set_status(Status(StatusCode.ERROR))
        self._span.end(_ns(self._created_at + (call.ended or 0.0)))


def _ns(seconds: float) -> int:
    """Since 1970."""
    return round(seconds * 1_000_000_000)
