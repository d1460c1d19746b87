"""A collector of OpenTelemetry, as far as a test needs one: it is sent spans by OTLP over HTTP."""

import gzip
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from support.patience import PATIENCE


class Collector:
    """``replies`` says what it answers at each request; None: nothing, as long as the test lasts."""

    def __init__(self, replies: Callable[[], int | None] = lambda: 200) -> None:
        self.replies = replies
        self.requests = 0
        self.headers: dict[str, str] = {}
        """Of the last one."""
        self.resource: dict[str, str] = {}
        self.spans: list[Any] = []
        self.changed = threading.Condition()
        self.is_over = threading.Event()
        self.port = 0

    @property
    def endpoint(self) -> str:
        """Where it is asked."""
        return f"http://127.0.0.1:{self.port}/v1/traces"

    def wait_for(self, condition: Callable[[], object], seconds: float = PATIENCE) -> None:
        """Until a request has made it true. Blocks."""
        with self.changed:
            assert self.changed.wait_for(condition, seconds), [span.name for span in self.spans]

    def named(self, name: str) -> list[Any]:
        """The spans of this name."""
        return [span for span in self.spans if span.name == name]

    def take(self, body: bytes, headers: dict[str, str]) -> int | None:
        """A request. Returns the status that it is answered with."""
        reply = self.replies()
        with self.changed:
            self.requests += 1
            self.headers = headers
            if reply == 200:
                self._keep(ExportTraceServiceRequest.FromString(gzip.decompress(body)))
            self.changed.notify_all()
        return reply

    def _keep(self, wanted: Any) -> None:
        for resource in wanted.resource_spans:
            self.resource = attributes(resource.resource)
            self.spans += [span for scope in resource.scope_spans for span in scope.spans]


def attributes(told: Any) -> dict[str, Any]:
    """Of a span, or of what has some."""
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in told.attributes}


@contextmanager
def open_collector(collector: Collector) -> Iterator[Collector]:
    """On a free port of this machine, in threads of its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            status = collector.take(body, {name.lower(): value for name, value in self.headers.items()})
            if status is None:
                collector.is_over.wait()
                return
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    collector.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield collector
    finally:
        collector.is_over.set()
        server.shutdown()
        server.server_close()
        thread.join()
