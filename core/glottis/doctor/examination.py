"""All that is looked at, in the order in which an operator would."""

import resource
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from glottis.config import ResolvedConfig
from glottis.doctor.certificates import examine_certificate
from glottis.doctor.findings import Finding
from glottis.doctor.machine import examine_buffers, examine_clock, examine_codecs, examine_descriptors
from glottis.doctor.ports import examine_http, examine_media
from glottis.doctor.proxies import examine_proxies
from glottis.doctor.servers import examine_servers
from glottis.plugins import Registry


async def examine(config: ResolvedConfig, registry: Registry) -> AsyncIterator[Finding]:
    """What is found, as soon as it is."""
    for finding in examine_codecs(config, registry):
        yield finding
    yield await examine_http(config)
    for finding in examine_certificate(config, datetime.now(UTC)):
        yield finding
    async for finding in examine_media(config):
        yield finding
    yield examine_descriptors(config, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    for finding in examine_buffers():
        yield finding
    yield examine_clock()
    async for finding in examine_proxies(config):
        yield finding
    for finding in await examine_servers(config):
        yield finding
