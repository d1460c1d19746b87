"""The endpoint: calls, later offers and candidates of them. The id of a peer connection is that of its session."""

import re
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final, TypeVar

import msgspec
from glottis import Door, DoorCall, DoorRefused, Malformed, RouteRequest, RouteResponse

from glottis_pipecat.bodies import (
    Candidates,
    Offer,
    parse_candidates_untrusted,
    parse_offer_untrusted,
    parse_start_untrusted,
)
from glottis_pipecat.dialect import Rtvi

FOLDER: Final = "/pipecat"
ELSE: Final = "else"
NEW: Final = "new"
"""In the query: the client is to have a new call where the one of the path is lost, as with servers of Pipecat."""
_SESSION_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)


class PipecatConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the routes ``pipecat``."""

    campaign: str = ""
    gathering_timeout: Annotated[float, msgspec.Meta(ge=0, le=5)] = 0.3
    """Seconds that an answer waits for candidates of STUN and TURN servers: the client is told none later."""


class Endpoint:
    """Of all campaigns."""

    def __init__(self, config: PipecatConfig) -> None:
        self._config = config

    async def start(self, request: RouteRequest) -> RouteResponse:
        """A call whose offer comes by the URL of its session, and the servers that the client may use for it."""

        async def answer() -> RouteResponse:
            call = await self._call(_door_of(request), _read(parse_start_untrusted, request.body))
            return RouteResponse.json(
                {"sessionId": call.session_id, "iceConfig": {"iceServers": list(call.ice_servers)}}
            )

        return await _answered(answer)

    async def offer(self, request: RouteRequest) -> RouteResponse:
        """An offer for a new call, or a later one of a call that its body names."""

        async def answer() -> RouteResponse:
            offer, data = _read(parse_offer_untrusted, request.body)
            if offer.pc_id:
                call = await _found(request, offer.pc_id)
                return _elsewhere(offer.pc_id, NEW) if call is None else await self._answer(call, offer)
            return await self._answer_anew(request, offer, data)

        return await _answered(answer)

    async def trickle(self, request: RouteRequest) -> RouteResponse:
        """Candidates of a call that the body names."""

        async def answer() -> RouteResponse:
            candidates = _read(parse_candidates_untrusted, request.body)
            if not candidates.pc_id:
                raise _not_found()
            call = await _found(request, candidates.pc_id)
            return _elsewhere(candidates.pc_id) if call is None else _add(call, candidates)

        return await _answered(answer)

    async def offer_again(self, request: RouteRequest) -> RouteResponse:
        """An offer of the call that the path names, the first or a later one."""

        async def answer() -> RouteResponse:
            offer, data = _read(parse_offer_untrusted, request.body)
            found = await _found_there(request)
            if isinstance(found, RouteResponse):
                return found
            if found is not None:
                return await self._answer(found, offer)
            if request.query.get(ELSE) == NEW:
                return await self._answer_anew(request, offer, data)
            raise _not_found()

        return await _answered(answer)

    async def trickle_there(self, request: RouteRequest) -> RouteResponse:
        """Candidates of the call that the path names."""

        async def answer() -> RouteResponse:
            candidates = _read(parse_candidates_untrusted, request.body)
            found = await _found_there(request)
            if found is None:
                raise _not_found()
            return found if isinstance(found, RouteResponse) else _add(found, candidates)

        return await _answered(answer)

    async def _call(self, door: Door, data: dict[str, Any]) -> DoorCall:
        campaign = data.get("campaignId") or self._config.campaign
        if not campaign:
            raise DoorRefused(400, "MISSING_CAMPAIGN", "Say by requestData.campaignId which campaign to call.")
        return await door.call({"campaignId": campaign, "metadata": {"pipecat": data}}, dialect=Rtvi())

    async def _answer_anew(self, request: RouteRequest, offer: Offer, data: dict[str, Any]) -> RouteResponse:
        call = await self._call(_door_of(request), data)
        try:
            return await self._answer(call, offer)
        except DoorRefused as refused:
            call.end(f"its offer was refused: {refused.code}")
            raise

    async def _answer(self, call: DoorCall, offer: Offer) -> RouteResponse:
        sdp = await call.answer(offer.sdp, gathering=self._config.gathering_timeout)
        return RouteResponse.json({"sdp": sdp, "type": "answer", "pc_id": call.session_id})


async def _answered(answer: Callable[[], Awaitable[RouteResponse]]) -> RouteResponse:
    """What it returns, or its refusal, as servers of Pipecat word theirs."""
    try:
        return await answer()
    except DoorRefused as refused:
        document = msgspec.json.encode({"detail": refused.detail, "code": refused.code})
        return RouteResponse(refused.status, document, "application/json", refused.headers, refused.code)


R = TypeVar("R")


def _read(parse: Callable[[bytes], R], body: bytes) -> R:
    try:
        return parse(body)
    except Malformed as error:
        raise DoorRefused(400, "INVALID_REQUEST", f"Correct the request: {error}.") from None


def _door_of(request: RouteRequest) -> Door:
    assert request.door is not None, "the gateway's requests have one"
    return request.door


async def _found(request: RouteRequest, session_id: str) -> DoorCall | None:
    """The client's call; None if this process does not have it, and another one may."""
    if not _SESSION_ID.fullmatch(session_id):
        raise _not_found()
    door = _door_of(request)
    principal = await door.principal()
    call = door.find(session_id)
    if call is not None and call.principal.name != principal.name:
        raise _not_found()
    return call


async def _found_there(request: RouteRequest) -> DoorCall | RouteResponse | None:
    """The client's call of the path, or the way to the node that has it; None if it is lost."""
    session_id = request.parameters["session_id"]
    call = await _found(request, session_id)
    if call is None and (url := await _door_of(request).elsewhere(session_id)):
        query = f"?{ELSE}={NEW}" if request.query.get(ELSE) == NEW else ""
        return RouteResponse(307, headers=[("location", f"{url}{FOLDER}{request.path}{query}")])
    return call


def _not_found() -> DoorRefused:
    return DoorRefused(404, "CALL_NOT_FOUND", "The call has ended, or is somebody else's; make a new one.")


def _elsewhere(session_id: str, otherwise: str = "") -> RouteResponse:
    """To the URL that leads to the process with the session (RFC 9110 §15.4.8), beside this one's ``api``."""
    query = f"?{ELSE}={otherwise}" if otherwise else ""
    return RouteResponse(307, headers=[("location", f"../sessions/{session_id}/api/offer{query}")])


def _add(call: DoorCall, candidates: Candidates) -> RouteResponse:
    for one in candidates.candidates:
        call.add_candidate(one.candidate or "", sdp_mid=one.sdp_mid, sdp_m_line_index=one.sdp_mline_index)
    return RouteResponse.json({"status": "success"})
