"""Tells extensions how the gateway and its sessions fare: whenever they ask, from the moment that it is there."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Protocol

from msgspec.structs import asdict

from glottis.contracts.figures import GatewayFigures, Histogram, PluginFigures
from glottis.media.scheduler import Scheduler
from glottis.plugins import Plugin
from glottis.plugins.report import asked
from glottis.server.runtime.counts import GatewayCounts
from glottis.server.runtime.watchdog import Watchdog
from glottis.server.sessions.sessions import Sessions


class _Gateway(Protocol):
    scheduler: Scheduler
    sessions: Sessions
    watchdog: Watchdog

    @property
    def refusals(self) -> Mapping[str, int]: ...

    def counts(self) -> GatewayCounts: ...


class FiguresDesk:
    """Called for ``GatewayInfo.figures``, and a ``SessionDesk``. ``gateway`` is set when there is one."""

    def __init__(self, plugins: Sequence[Plugin]) -> None:
        self.gateway: _Gateway | None = None
        self._plugins = plugins

    async def explain(self, session_id: str) -> str | None:
        """See ``SessionDesk``."""
        return None if self.gateway is None else await self.gateway.sessions.explain(session_id, None)

    def end(self, session_id: str, reason: str) -> bool:
        """See ``SessionDesk``."""
        return self.gateway is not None and self.gateway.sessions.end(session_id, reason)

    def __call__(self) -> GatewayFigures:
        gateway = self.gateway
        plugins = tuple(
            PluginFigures(
                plugin=plugin.name,
                distribution=plugin.distribution,
                action=action,
                calls=timing.calls,
                errors=timing.errors,
                slow=timing.overruns,
                seconds=timing.total / 1e9,
            )
            for plugin, action, timing in asked(self._plugins)
        )
        if gateway is None:
            return GatewayFigures(plugins=plugins)
        lateness, pauses = gateway.scheduler.lateness, gateway.watchdog.pauses
        return GatewayFigures(
            sessions=Counter((session.info.campaign_id, session.state.value) for session in gateway.sessions),
            counts=asdict(gateway.counts()),
            refusals=dict(gateway.refusals),
            lateness=Histogram(at_most=lateness.at_most(), longest=lateness.longest),
            collections=pauses.count,
            collection_seconds=pauses.total,
            plugins=plugins,
        )
