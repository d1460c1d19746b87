"""The gateway: everything that listens, and the tree of tasks under it."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from functools import partial
from importlib.metadata import version
from typing import Final, Protocol

import trio
from msgspec.structs import replace

from glottis.calls.leg import LegFactory
from glottis.calls.limits import CallLimits
from glottis.calls.own_nurseries import presentable_errors
from glottis.config import NamedAuthScheme, ResolvedConfig, records_dropped
from glottis.contracts.cluster import Limited
from glottis.contracts.extensions import GatewayInfo
from glottis.contracts.parts import GatewayParts, OnePart
from glottis.isolation.workers import AgentWorkers
from glottis.media.gathering import GatheringEndpoint
from glottis.media.ring import SLOT
from glottis.media.scheduler import Scheduler, Sockets
from glottis.media.stream_link import StreamEndpoint
from glottis.media.stream_listener import StreamListener
from glottis.plugins.auth import GuardedAuthScheme
from glottis.plugins.extensions import Extension
from glottis.server.api.origins import Origins
from glottis.server.api.plugins import Rows, nowhere_else
from glottis.server.api.routes import Api
from glottis.server.api.wordings import Wordings
from glottis.server.binding import Listeners, bind, bind_streams, listen, url_of
from glottis.server.clustering import ClusterDesk, ClusterSeat, Reception
from glottis.server.http.certificates import Certificates
from glottis.server.http.message import HttpLimits
from glottis.server.http.rate_limit import Limiter, RateLimiter
from glottis.server.http.refusals import Refusals
from glottis.server.http.server import HttpServer
from glottis.server.http.siblings import Siblings
from glottis.server.http.turns import Turns
from glottis.server.legs import our_legs
from glottis.server.lifespans import lifespans, living
from glottis.server.own_addresses import OwnAddresses
from glottis.server.runtime.counts import QUANTILE, GatewayCounts, report
from glottis.server.runtime.figures import FiguresDesk
from glottis.server.runtime.load_control import LoadControl
from glottis.server.runtime.relief import Relief
from glottis.server.runtime.watchdog import Watchdog, watching
from glottis.server.sessions.entrance import Entrance, OwnEntrance
from glottis.server.sessions.renewal import renew_ice_servers
from glottis.server.sessions.sessions import Sessions
from glottis.server.sessions.times import DEFAULT_TIMES, SessionTimes
from glottis.server.sessions.tokens import TokenDesk
from glottis.server.sessions.waiting_room import WaitingRoom
from glottis.server.sessions.whole import Alone, Whole
from glottis.wire.address import Address

logger = logging.getLogger(__name__)

GOODBYE_TIMEOUT: Final = 1.0
"""Seconds for clients to be told that the gateway stops."""


class MediaEndpoint(GatheringEndpoint, StreamEndpoint, Sockets, Protocol):
    """What a gateway needs of its ``UdpEndpoint``."""

    @property
    def addresses(self) -> Sequence[Address]:
        """The local transport addresses, the bases of host candidates."""

    @property
    def sessions(self) -> int:
        """How many sessions have entries in any table."""

    @property
    def dropped(self) -> int:
        """Datagrams that belonged to nobody."""

    @property
    def send_failures(self) -> int:
        """Datagrams that could not leave."""

    async def run(self) -> None:
        """Read until cancelled."""


class Fleet(Siblings, Whole, Entrance, GatewayParts, Protocol):
    """The processes that are one gateway together, as one of them sees them."""

    @property
    def connections_dropped(self) -> int:
        """By this one, which had no room for what it was handed."""

    def limiter(self, what: Limited) -> Limiter:
        """Counts the requests for ``sessions`` or ``routes`` that come to any of them."""

    async def figures_of_plugins(self) -> Sequence[Rows]:
        """What the others have counted of plugins, as ``plugins.report.figures`` has it."""


class Gateway:
    """A gateway that serves. Made by ``open_gateway``; ``url`` is where."""

    def __init__(
        self,
        config: ResolvedConfig,
        endpoint: MediaEndpoint,
        nursery: trio.Nursery,
        watchdog: Watchdog,
        *,
        own_addresses: OwnAddresses,
        streams: StreamListener,
        tokens: TokenDesk | None = None,
        legs: Mapping[str, LegFactory] | None = None,
        times: SessionTimes = DEFAULT_TIMES,
        turns: Turns | None = None,
        fleet: Fleet | None = None,
    ) -> None:
        config = replace(config, auth=_guarded(config.auth))
        server, media = config.config.server, config.config.media
        self.url = ""
        self.endpoint = endpoint
        self.streams = streams
        self.scheduler = Scheduler(endpoint)
        self._turns = turns or Turns()
        self.watchdog = watchdog
        self._own_addresses = own_addresses
        self.workers = AgentWorkers(config)
        self.sessions = Sessions(
            config,
            nursery,
            legs={**our_legs(config, endpoint, self.scheduler, own_addresses, times.ice), **(legs or {})},
            tokens=tokens if tokens is not None else TokenDesk(),
            ice_servers=own_addresses.desk,
            times=replace(times, connect=server.token_lifetime, resume_grace=server.resume_grace),
            call_limits=CallLimits(say_queue=media.say_queue_ms / 1000, audio_queue=media.audio_queue_ms / 1000),
            turns=self._turns,
            workers=self.workers,
            whole=fleet,
        )
        self.relief = Relief(
            self.scheduler,
            self.sessions,
            LoadControl(media.encoder.complexity, media.encoder.complexity_floor, server.max_load),
            lambda: self._turns.delay,
        )
        self._config = config
        self.cluster = ClusterDesk(config.campaigns, config.extensions)
        self._fleet = fleet
        self._http_ended = trio.Event()
        self.refusals = Refusals()
        self.http = self._make_http_server()

    @property
    def is_part(self) -> bool:
        """Whether other processes are the same gateway; then who starts them tells what all have counted."""
        return self._fleet is not None

    def counts(self) -> GatewayCounts:
        """What was counted so far, beside the calls' own statistics."""
        lateness, pace = self.scheduler.lateness, self.scheduler.pace
        workers = self.workers.counts()
        return GatewayCounts(
            datagrams_of_nobody=self.endpoint.dropped,
            datagrams_not_sent=self.endpoint.send_failures,
            streams_refused=self.streams.refused,
            datagrams_not_streamed=self.streams.dropped,
            stun_answers_ignored=self._own_addresses.gathering.answers_ignored,
            local_names_refused=self._own_addresses.local_names.refused,
            turn_messages_ignored=self._own_addresses.gathering.relays.ignored_datagrams,
            datagrams_not_relayed=self._own_addresses.gathering.relays.dropped_datagrams,
            turn_addresses=len(self._own_addresses.gathering.relays.addresses),
            turn_servers_failing=len(self._own_addresses.gathering.relays.failures),
            connections_dropped=self._fleet.connections_dropped if self._fleet is not None else 0,
            log_records_dropped=records_dropped(),
            lateness_p99=lateness.quantile(QUANTILE),
            longest_lateness=lateness.longest,
            turn_length=pace.slots * SLOT,
            turn_length_changes=pace.changes,
            longest_collection=self.watchdog.pauses.longest,
            media_load=self.relief.control.busy,
            complexity=self.relief.control.level,
            times_lowered=self.relief.control.times_lowered,
            sessions_refused=self.sessions.refused_for_load,
            agent_processes=self.workers.running,
            agent_processes_lost=workers.lost,
            calls_lost_with_processes=workers.calls_lost,
            calls_without_process=workers.calls_refused,
        )

    async def stop(self, grace: float) -> bool:
        """End in good order: admit nobody, let calls go on for ``grace`` seconds, then end them.

        Says whether every agent has stopped. One that has not keeps ``open_gateway`` from returning.
        """
        self.sessions.drain()
        with trio.move_on_after(grace):
            await self.sessions.wait_empty()
        await self.sessions.end_all("the gateway stops")
        self.http.drain()
        with trio.move_on_after(GOODBYE_TIMEOUT):
            await self._http_ended.wait()
        return await self.sessions.wait_stopped()

    def join_cluster(self) -> None:
        """If an extension knows one; ``url`` is set."""
        server = self._config.config.server
        url = server.public_url.rstrip("/") or self.url
        self.cluster.join(ClusterSeat(url, server.most_sessions, self.cluster, self.sessions, self._initiate))

    async def gather(self) -> None:
        """Until cancelled: find out how others know this machine, and renew what clients are told of ICE servers."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._own_addresses.run)
            if self._config.ice_server_providers:
                interval = self._config.config.ice_servers.renewal
                await renew_ice_servers(lambda: self.sessions, self._own_addresses.desk, interval)

    async def serve_http(self, listeners: Listeners) -> None:
        """Serve until cancelled, or after ``stop`` until the last connection has ended."""
        await self.http.serve(listeners)
        self._http_ended.set()

    def _make_http_server(self) -> HttpServer:
        server = self._config.config.server
        limiter = self._limiter("sessions", server.max_sessions_per_minute)
        api = Api(
            self.sessions,
            self._config.auth.scheme,
            origins=Origins(server.allowed_origins),
            rate_limiter=limiter,
            public_url=server.public_url,
            turns=self._turns,
            pages=self._config.pages,
            plugin_routes={one.folder: one.routes for one in self._config.route_sets},
            plugin_rate_limiter=self._limiter("routes", self._config.config.routes.max_requests_per_minute),
            operators=self._config.config.auth.operators,
            plugins=self._config.plugins,
            campaigns=tuple(self._config.campaigns),
            entrance=self._fleet
            or OwnEntrance(WaitingRoom(server.queue, Alone().new_session_id), limiter, self.sessions.room),
            figures_elsewhere=self._fleet.figures_of_plugins if self._fleet is not None else nowhere_else,
            refusals=self.refusals,
            cluster=self.cluster,
        )
        self._initiate = api.initiate
        return HttpServer(
            handle_request=api.handle_request,
            handle_websocket=Reception(self.sessions, self.cluster, server.resume_grace).serve_websocket,
            accept_websocket=api.accept_websocket,
            normalize=api.normalize,
            word=Wordings({one.folder: one.word for one in self._config.route_sets if one.word is not None}).word,
            limits=HttpLimits(
                max_connections=server.max_connections,
                max_connections_per_client=server.max_connections_per_client,
                max_body_bytes=server.max_body_bytes,
                head_timeout=server.head_timeout,
                body_timeout=server.head_timeout,
                message_timeout=server.head_timeout,
                idle_timeout=server.idle_timeout,
                max_message_bytes=server.max_message_bytes,
                frames_per_second=server.max_messages_per_second,
            ),
            trusted_proxies=server.trusted_proxies,
            proxy_header=server.proxy_header,
            turns=self._turns,
            siblings=self._fleet,
            certificates=Certificates(server.certificate, server.private_key) if server.certificate else None,
            refusals=self.refusals,
        )

    def _limiter(self, what: Limited, per_minute: int) -> Limiter:
        own = RateLimiter(per_minute=per_minute, burst=per_minute)
        return self.cluster.limiter(what, self._fleet.limiter(what) if self._fleet is not None else own, per_minute)


def _guarded(auth: NamedAuthScheme) -> NamedAuthScheme:
    return replace(auth, scheme=GuardedAuthScheme(auth.scheme, auth.plugin))


@asynccontextmanager
async def open_gateway(
    config: ResolvedConfig,
    *,
    endpoint: MediaEndpoint | None = None,
    listeners: Listeners | None = None,
    tokens: TokenDesk | None = None,
    legs: Mapping[str, LegFactory] | None = None,
    times: SessionTimes = DEFAULT_TIMES,
    turns: Turns | None = None,
    streams: StreamListener | None = None,
    fleet: Fleet | None = None,
) -> AsyncIterator[Gateway]:
    """A gateway that listens while the block runs. Leaving the block ends every call at once.

    ``endpoint`` and ``streams`` are for media, and ``listeners`` are for HTTP, where they shall not be bound as
    configured; only the listeners are closed here. Several gateways may share ``tokens``, and in one event loop
    ``turns``. ``legs`` are those of transports beside WebRTC, and ``times`` are what the configuration leaves open.
    ``fleet`` is there where other processes are the same gateway. Raises ``ConfigurationError`` if an address or port
    cannot be had, and ``PluginError`` if an extension cannot begin.
    """
    server = config.config.server
    make_gateway = partial(Gateway, tokens=tokens, legs=legs, times=times, turns=turns, fleet=fleet)
    with (
        bind(config) if endpoint is None else nullcontext(endpoint) as endpoint,
        bind_streams(config, endpoint, endpoint.addresses) if streams is None else nullcontext(streams) as streams,
    ):
        own_addresses = OwnAddresses(config, endpoint, times.providers, streams.addresses)
        listeners = await listen(server.host, server.port) if listeners is None else listeners
        with watching(config.plugins) as watchdog, presentable_errors():
            figures = FiguresDesk(config.plugins)
            async with (
                _life(config, listeners, figures, fleet or OnePart()) as url,
                trio.open_nursery() as nursery,
                trio.open_nursery() as sessions,
            ):
                gateway = make_gateway(
                    config, endpoint, sessions, watchdog, own_addresses=own_addresses, streams=streams
                )
                gateway.url, figures.gateway = url, gateway
                gateway.join_cluster()
                for task in _tasks(gateway, endpoint, listeners):
                    nursery.start_soon(task)
                try:
                    yield gateway
                finally:
                    await _end(gateway, nursery, sessions)


async def _end(gateway: Gateway, *nurseries: trio.Nursery) -> None:
    with trio.CancelScope(shield=True):
        await gateway.sessions.end_all("the gateway stops")
    for nursery in nurseries:
        nursery.cancel_scope.cancel()
    if not gateway.is_part:
        logger.info("the gateway has counted %s", gateway.counts())


@asynccontextmanager
async def _life(
    config: ResolvedConfig, listeners: Listeners, figures: FiguresDesk, parts: GatewayParts
) -> AsyncIterator[str]:
    """Those of plugins, at this URL. Where one cannot begin there is no gateway to close its listeners."""
    server = config.config.server
    url = url_of(server.host, server.port, listeners, server.http_scheme)
    extensions = (*living(config.auth), *config.extensions)
    infos = [_info_for(extension, config, url, figures, parts) for extension in extensions]
    began = False
    try:
        async with lifespans(extensions, infos):
            began = True
            yield url
    finally:
        if not began:
            for listener in listeners:
                await trio.aclose_forcefully(listener)


def _info_for(
    extension: Extension, config: ResolvedConfig, url: str, figures: FiguresDesk, parts: GatewayParts
) -> GatewayInfo:
    return GatewayInfo(
        url,
        version("glottis"),
        tuple(
            campaign.id
            for campaign in config.campaigns.values()
            if any(extension is one for one in campaign.extensions)
        ),
        tuple(codec.spec for codec in config.codecs),
        figures,
        parts,
        figures,
        config.config.auth.operators,
        config.config.server.public_url,
    )


def _tasks(
    gateway: Gateway, endpoint: MediaEndpoint, listeners: Listeners
) -> tuple[Callable[[], Awaitable[None]], ...]:
    """What runs as long as the gateway, in the order in which it starts."""
    return (
        endpoint.run,
        gateway.streams.run,
        gateway.scheduler.run,
        gateway.workers.run,
        gateway.sessions.keep_deadlines,
        gateway.relief.run,
        gateway.gather,
        partial(gateway.serve_http, listeners),
        *([] if gateway.is_part else [partial(report, gateway.counts)]),
    )
