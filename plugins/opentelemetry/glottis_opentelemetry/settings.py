"""Settings of the extension ``opentelemetry``."""

from typing import Annotated
from urllib.parse import urlsplit

import msgspec
from glottis import ConfigurationError, Secret
from msgspec import Meta


class OpenTelemetryConfig(msgspec.Struct, frozen=True, kw_only=True):
    """``[extensions.settings.opentelemetry]``."""

    endpoint: str = "http://127.0.0.1:4318/v1/traces"
    """Where spans are posted, by OTLP over HTTP."""
    headers: dict[str, Secret] = {}
    """That go with them: what the collector knows its senders by."""
    service: Annotated[str, Meta(min_length=1)] = "glottis"
    """``service.name`` of OpenTelemetry's semantic conventions."""
    share: Annotated[float, Meta(ge=0, le=1)] = 1.0
    """Of the calls, by chance: those whose spans are sent. What a traced request has created goes by its trace."""
    timeout: Annotated[float, Meta(gt=0, le=60)] = 10.0
    """Seconds for a batch of spans, with all attempts."""
    max_spans: Annotated[int, Meta(ge=512, le=100_000)] = 4096
    """That wait for the collector at most; then the oldest give way."""
    max_calls: Annotated[int, Meta(ge=1, le=500)] = 100
    """That the routes know: those that there are, and the last that have ended."""
    tell_clients: bool = True
    """Whether the client is told of each turn's waterfall."""

    def __post_init__(self) -> None:
        if not _is_endpoint(self.endpoint):
            raise ConfigurationError("endpoint: expected a URL of http or https, without a user in it")

    @property
    def place(self) -> str:
        """The endpoint as the log may have it."""
        parts = urlsplit(self.endpoint)
        return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}"


def _is_endpoint(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return (
            parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and "@" not in parts.netloc
        )
    except ValueError:  # for a host or a port that cannot be one
        return False
