"""Doors for plugins' routes: by them come clients whose protocol the gateway does not know (``contracts/doors.py``)."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from http import HTTPStatus
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from glottis.contracts.doors import Dialect, Door, DoorCall, DoorRefused, Hear
from glottis.contracts.errors import LocalError
from glottis.contracts.info import Principal
from glottis.server.api.authentication import Authentication
from glottis.server.api.initiate import Initiate
from glottis.server.api.placement import Placement
from glottis.server.clustering import ClusterDesk
from glottis.server.http.message import Request, Response
from glottis.server.http.problem import Problem
from glottis.server.sessions.door_client import DoorClient, over
from glottis.server.sessions.ice_servers import ice_server_document

logger = logging.getLogger(__name__)

_OF_THE_BODY: Final = ("content-type", "cache-control")


class Doors:
    """All calls that have come in by a door, until they are over."""

    def __init__(
        self, sessions: Placement, initiate: Initiate, authentication: Authentication, cluster: ClusterDesk
    ) -> None:
        self._sessions = sessions
        self._cluster = cluster
        self._initiate = initiate
        self._authentication = authentication
        self._calls: dict[str, DoorClient] = {}

    def of(self, request: Request) -> "RequestDoor":
        """For whoever has sent this request, of which the body is not kept."""
        return RequestDoor(self, replace(request, body=b""))

    @contextmanager
    def held(self, request: Request, called: Callable[[], object]) -> Iterator["RequestDoor"]:
        """The same for as long as the client's socket is there: calls that are left over end with it.

        ``called`` is told that there is one.
        """
        door = RequestDoor(self, replace(request, body=b""), called)
        try:
            yield door
        finally:
            for call in door.outcome.calls:
                call.end("the connection was lost")

    async def invite(self, wish: Request) -> Mapping[str, Any]:
        """See ``Door``. Raises ``Problem`` or ``DoorRefused``, as does ``call``."""
        response = await self._initiate.invite(wish)
        document = _document_in(response)
        if response.status != HTTPStatus.OK:
            headers = tuple(header for header in response.headers if header[0] not in _OF_THE_BODY)
            raise DoorRefused(response.status, document["code"], document["detail"], headers)
        return document

    async def call(
        self, wish: Request, hear: Hear | None, dialect: Dialect | None, principal: Principal | None
    ) -> DoorClient:
        """See ``Door``."""
        created = await self._initiate.create(wish, principal)
        session = self._sessions.come_in(created.session_id)
        if session is None:
            raise over()
        ice_servers = [ice_server_document(server) for server in created.ice_servers]
        call = DoorClient(
            session, ice_servers, hear=hear, dialect=dialect, turns=self._initiate.turns, left=self._forget
        )
        self._calls[call.session_id] = call
        call.begin()
        return call

    def find(self, session_id: str) -> DoorCall | None:
        """See ``Door``."""
        return self._calls.get(session_id)

    async def elsewhere(self, session_id: str) -> str:
        """See ``Door``."""
        return (await self._cluster.find(session_id)).url

    def key(self, purpose: str) -> bytes:
        """See ``Door``: what workers share is what signs sessions' tokens."""
        return self._sessions.key(f"plugin {purpose}")

    async def principal(self, request: Request) -> Principal:
        """See ``Door``. Raises ``Problem``."""
        return await self._authentication.caller_of(request, None)

    def _forget(self, call: DoorClient) -> None:
        self._calls.pop(call.session_id, None)


class _Outcome(msgspec.Struct):
    is_of_process: bool = False
    """Whether another process may have what this one has refused last."""
    calls: list[DoorClient] = msgspec.field(default_factory=list)
    """Those that are bound to the socket by which they have come in."""


class RequestDoor:
    """See ``Door``."""

    def __init__(self, doors: Doors, request: Request, called: Callable[[], object] | None = None) -> None:
        self.outcome = _Outcome()
        self._doors = doors
        self._request = request
        self._called = called

    async def call(
        self,
        wanted: Mapping[str, Any],
        hear: Hear | None = None,
        *,
        dialect: Dialect | None = None,
        bearer: str = "",
        principal: Principal | None = None,
    ) -> DoorCall:
        """See ``Door``."""
        with self._refusing():
            call = await self._doors.call(_wish(self._request, wanted, bearer), hear, dialect, principal)
        if self._called is not None:
            self._called()
            self.outcome.calls = [*(one for one in self.outcome.calls if not one.is_over), call]
        return call

    async def invite(self, wanted: Mapping[str, Any], *, bearer: str = "") -> Mapping[str, Any]:
        """See ``Door``."""
        with self._refusing():
            return await self._doors.invite(_wish(self._request, wanted, bearer))

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        self.outcome.is_of_process = False
        try:
            yield
        except Problem as problem:
            self.outcome.is_of_process = problem.is_of_process
            raise DoorRefused(problem.status, problem.code, problem.detail, problem.headers) from None

    def find(self, session_id: str) -> DoorCall | None:
        """See ``Door``."""
        return self._doors.find(session_id)

    async def elsewhere(self, session_id: str) -> str:
        """See ``Door``."""
        return await self._doors.elsewhere(session_id)

    async def principal(self) -> Principal:
        """See ``Door``."""
        with self._refusing():
            return await self._doors.principal(self._request)

    def key(self, purpose: str) -> bytes:
        """See ``Door``."""
        return self._doors.key(purpose)

    def on_behalf_of(self, another: Door | Mapping[str, str]) -> Door:
        """See ``Door``."""
        headers = another._request.headers if isinstance(another, RequestDoor) else another
        assert isinstance(headers, Mapping), "there are no other doors"
        door = copy(self)  # what comes of it comes of this request
        door._request = replace(self._request, headers=dict(headers))
        return door


def _document_in(response: Response) -> dict[str, Any]:
    """The session's, or a problem. Raises ``DoorRefused`` if it is neither, as no node of glottis answers."""
    try:
        document: dict[str, Any] = msgspec.json.decode(response.body, type=dict[str, Any])
    except msgspec.MsgspecError:
        document = {}
    if "sessionId" in document or {"code", "detail"} <= document.keys():
        return document
    logger.error(
        "the node that was to have a session answers %d, and says nothing that a gateway does", response.status
    )
    raise DoorRefused(500, "INTERNAL_ERROR", "The gateway failed; its log says why.")


def _wish(request: Request, wanted: Mapping[str, Any], bearer: str) -> Request:
    """The request as it would be for a session. Raises ``LocalError`` if JSON cannot say what is wanted."""
    headers = {**request.headers, "content-type": "application/json"}
    if bearer:
        headers["authorization"] = f"Bearer {bearer}"
    try:
        return replace(request, query={}, headers=headers, body=msgspec.json.encode(wanted))
    except (TypeError, ValueError, RecursionError, msgspec.MsgspecError) as error:
        raise LocalError(f"the wish for a session: {error}") from None
