"""The cluster that this gateway is in, if an extension has joined one: for routes, limits and WebSockets."""

import logging
import re
from collections.abc import Mapping, Sequence
from typing import Final, Protocol
from urllib.parse import urlencode

import msgspec

from glottis.barrier import stop
from glottis.config import Campaign
from glottis.contracts.cluster import Limited, Seat, SessionWish, Whereabouts
from glottis.contracts.errors import PluginError
from glottis.contracts.log_fields import LogFields, logged_as
from glottis.contracts.routes import RouteResponse
from glottis.plugins.cluster import HOOK, GuardedCluster, joined
from glottis.plugins.extensions import Extension
from glottis.plugins.failures import log_failure
from glottis.server.http.clients import client_key
from glottis.server.http.message import Request, Response, json_response
from glottis.server.http.rate_limit import Limiter
from glottis.server.http.websocket import WebSocket
from glottis.server.sessions.channel import reject
from glottis.server.sessions.sessions import Sessions
from glottis.signaling.close_codes import TRY_AGAIN_LATER
from glottis.signaling.messages import Event, encode_message
from glottis.signaling.session_url import SessionUrl, parse_session_url_untrusted

_SESSION: Final = re.compile(r"/((?:[1-9][0-9]{0,8}-)?[A-Za-z0-9_-]{22})(?=/|$)")
"""An id of a session in a path."""
MAX_REASON: Final = 60
"""Characters of why a session has ended, in what a WebSocket is closed with."""
NOWHERE: Final = Whereabouts()

logger = logging.getLogger(__name__)


class ClusterDesk:
    """Without a cluster it knows nothing, and costs nothing. ``campaigns`` are those that are configured."""

    def __init__(self, campaigns: Mapping[str, Campaign], extensions: Sequence[Extension]) -> None:
        self._campaigns = campaigns
        self._extension = next((one for one in extensions if HOOK in one.hooks), None)
        self._cluster: GuardedCluster | None = None

    def join(self, seat: Seat) -> None:
        """If an extension has the hook; a hook that fails leaves the gateway alone."""
        if self._extension is None:
            return
        try:
            self._cluster = joined(self._extension, seat)
        except PluginError as error:
            log_failure(logger, error, "%s: the gateway is in no cluster", self._extension.plugin)

    @property
    def campaigns(self) -> Mapping[str, Sequence[str]]:
        """See ``Seat``."""
        return {one.id: tuple(one.agents) for one in self._campaigns.values() if self._is_clustered(one)}

    def _is_clustered(self, campaign: Campaign) -> bool:
        return any(one is self._extension for one in campaign.extensions)

    async def place(self, wish: SessionWish) -> RouteResponse | None:
        """See ``Cluster``. A campaign that does without the extension stays here; an unknown one may be elsewhere."""
        campaign = self._campaigns.get(wish.campaign_id)
        if self._cluster is None or (campaign is not None and not self._is_clustered(campaign)):
            return None
        return await self._cluster.place(wish)

    async def find(self, session_id: str) -> Whereabouts:
        """See ``Cluster``."""
        return await self._cluster.find(session_id) if self._cluster is not None else NOWHERE

    async def redirection(self, request: Request) -> Response | None:
        """To where a session is that the request is about, and that is not here; None if it is nowhere else."""
        named = _SESSION.search(request.path) if self._cluster is not None else None
        where = await self.find(named[1]) if named is not None else NOWHERE
        if not where.url:
            return None
        location = f"{where.url}{request.path}{'?' if request.query else ''}{urlencode(request.query)}"
        return json_response(307, {"location": location}).with_headers(("location", location))

    def limiter(self, what: Limited, own: Limiter, per_minute: int) -> Limiter:
        """Counts for the whole cluster, if there is one that can; else ``own`` does."""
        return _ClustersLimiter(self, what, own, per_minute) if self._extension is not None else own

    async def seconds_to_wait(self, what: Limited, client_host: str, per_minute: int) -> float | None:
        """See ``Cluster``."""
        if self._cluster is None:
            return None
        return await self._cluster.seconds_to_wait(what, client_key(client_host), per_minute)


class _ClustersLimiter(msgspec.Struct, frozen=True):
    desk: ClusterDesk
    what: Limited
    own: Limiter
    per_minute: int

    async def ask(self, client_host: str, now: float) -> float:
        """See ``Limiter``."""
        seconds = await self.desk.seconds_to_wait(self.what, client_host, self.per_minute)
        return await self.own.ask(client_host, now) if seconds is None else seconds


class Creates(Protocol):
    """The route that creates sessions."""

    async def create_for(self, wish: SessionWish, base_url: str) -> RouteResponse:
        """Without asking who it is for, or elsewhere."""


class ClusterSeat(msgspec.Struct, frozen=True):
    """See ``Seat``."""

    url: str
    capacity: int
    desk: ClusterDesk
    own: Sessions
    route: Creates

    @property
    def campaigns(self) -> Mapping[str, Sequence[str]]:
        """See ``Seat``."""
        return self.desk.campaigns

    def sessions(self) -> int:
        """See ``Seat``."""
        return self.own.running

    def unavailability(self) -> str:
        """See ``Seat``."""
        unavailability = self.own.own_unavailability() or self.own.unavailability()
        return unavailability.code if unavailability is not None else ""

    async def create(self, wish: SessionWish) -> RouteResponse:
        """See ``Seat``."""
        with logged_as(LogFields(request=wish.request_id)):
            try:
                return await self.route.create_for(wish, websocket_url(self.url))
            except BaseException as error:
                stop(error, lambda failure: log_failure(logger, failure, "%s failed", wish))
                return RouteResponse.problem(500, "INTERNAL_ERROR", "The gateway failed; its log says why.")


class Reception(msgspec.Struct, frozen=True):
    """Takes WebSockets to their sessions; those of a session that another gateway has, it tells where to go."""

    sessions: Sessions
    cluster: ClusterDesk
    grace: float
    """Seconds in which a session can be resumed."""

    async def serve_websocket(self, request: Request, websocket: WebSocket) -> None:
        """Until either side closes."""
        url = parse_session_url_untrusted(request.path, request.query)
        if self.sessions.find(url.session_id) is None:
            where = await self.cluster.find(url.session_id)
            if where != NOWHERE:
                await self._send_away(url, where, websocket)
                return
        await self.sessions.serve_websocket(request, websocket)

    async def _send_away(self, url: SessionUrl, where: Whereabouts, websocket: WebSocket) -> None:
        """In words, and by the event after which clients go there: browsers follow no redirection of a WebSocket."""
        if where.url:
            logger.info("session %s is wanted here, and is at %s", url.session_id, where.url)
            there = url.under(websocket_url(where.url))
            told = Event("resume", {"websocketUrl": there, "graceSeconds": self.grace or 1.0})
            await websocket.send(encode_message(told))
            await websocket.close(TRY_AGAIN_LATER, f"ELSEWHERE: The session is at {where.url}")
        elif not where.is_certain:
            await websocket.close(
                TRY_AGAIN_LATER, "WHEREABOUTS_UNKNOWN: Nobody knows now where the session is; try again"
            )
        else:
            reason = where.reason.encode()[:MAX_REASON].decode(errors="ignore")
            await reject(websocket, "SESSION_NOT_FOUND", f"The session has ended: {reason}. Create a new one.")


def websocket_url(url: str) -> str:
    """The base of WebSocket URLs for that of others."""
    return url.replace("http", "ws", 1)
