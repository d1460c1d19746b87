"""What the log says once a gateway serves: where, and what."""

import logging
from collections.abc import Sequence
from typing import Final, Protocol
from urllib.parse import quote

from glottis.config import ResolvedConfig
from glottis.isolation.workers import AgentWorkers
from glottis.wire.address import Address

DEMO: Final = "demo"
"""The page that calls a campaign by its name."""

logger = logging.getLogger(__name__)


class Addressed(Protocol):
    """What listens."""

    @property
    def addresses(self) -> Sequence[Address]:
        """Where."""


class Serving(Protocol):
    """A gateway, as far as it is told of."""

    url: str
    workers: AgentWorkers

    @property
    def endpoint(self) -> Addressed:
        """For UDP."""

    @property
    def streams(self) -> Addressed:
        """For TCP."""


async def announce(config: ResolvedConfig, gateway: Serving) -> None:
    """As soon as there is somebody to talk with: processes may take seconds to load their agents."""
    if not gateway.workers.have_begun:
        logger.info("processes are loading their agents")
        await gateway.workers.begun()
    media = ", ".join(f"{address.host}:{address.port}" for address in gateway.endpoint.addresses)
    logger.info("glottis serves %s with auth scheme %s, media on UDP %s", gateway.url, config.auth.name, media)
    if streams := ", ".join(f"{address.host}:{address.port}" for address in gateway.streams.addresses):
        logger.info("calls that UDP does not reach: media on TCP %s", streams)
    if config.config.server.max_sessions == "auto":
        logger.info("at most %d sessions: as many as the memory bears", config.config.server.most_sessions)
    logger.info("campaigns: %s", ", ".join(config.campaigns) or "none")
    if DEMO in config.page_sets and config.campaigns:
        logger.info("talk at %s/?campaign=%s", gateway.url, quote(next(iter(config.campaigns))))
