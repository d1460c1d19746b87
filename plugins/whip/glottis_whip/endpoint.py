"""The endpoint: offers, candidates, restarts of ICE, and the end of a call, each by one request (RFC 9725 §4)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Final
from weakref import WeakKeyDictionary

import msgspec
from glottis import (
    DoorCall,
    DoorRefused,
    Malformed,
    RouteRequest,
    RouteResponse,
)

from glottis_whip.fragments import MEDIA_TYPE, Description, Fragment, parse_fragment_untrusted

FOLDER: Final = "/whip"
SDP: Final = "application/sdp"


class WhipConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the routes ``whip``."""

    gathering_timeout: Annotated[float, msgspec.Meta(ge=0, le=5)] = 0.3
    """Seconds that an answer waits for candidates of STUN and TURN servers: the client is told none later."""


@dataclass(slots=True)
class _Negotiation:
    """How far client and gateway have come."""

    offer: Description
    answer: Description

    @property
    def entity_tag(self) -> str:
        """Of the generation of ICE (§4.3.1): its credentials are the gateway's."""
        return f'"{self.answer.first("ice-ufrag")}"'


class Endpoint:
    """Of all campaigns. ``post`` makes a call; ``patch`` and ``delete`` are for the session that has come of it."""

    def __init__(self, config: WhipConfig) -> None:
        self._config = config
        self._negotiations: WeakKeyDictionary[DoorCall, _Negotiation] = WeakKeyDictionary()

    async def get(self, request: RouteRequest) -> RouteResponse:
        """§4.1: there is nothing to see, but that is no error."""
        return RouteResponse(204)

    async def post(self, request: RouteRequest) -> RouteResponse:
        """§4.2: an offer, and the answer to it."""
        try:
            _check_media_type(request, SDP, "accept-post")
            return await self._call(request, _offer_in(request.body))
        except DoorRefused as refused:
            return RouteResponse.refusal(refused)

    async def _call(self, request: RouteRequest, offer: str) -> RouteResponse:
        assert request.door is not None, "the gateway's requests have one"
        offered = Description.of(offer)
        _check_tracks(offered)
        campaign_id = request.parameters["campaign_id"]
        call = await request.door.call({"campaignId": campaign_id})
        try:
            sdp = await call.answer(offer, gathering=self._config.gathering_timeout)
        except DoorRefused as refused:
            call.end(f"its offer was refused: {refused.code}")
            raise
        negotiation = self._negotiations[call] = _Negotiation(offered, Description.of(sdp))
        headers = [
            ("location", f"{FOLDER}/{campaign_id}/{call.session_id}"),
            ("etag", negotiation.entity_tag),
            ("accept-patch", MEDIA_TYPE),
            *_links(call),
        ]
        return RouteResponse(201, negotiation.answer.as_bundle(), SDP, headers)

    async def patch(self, request: RouteRequest) -> RouteResponse:
        """§4.3: candidates of the client, or new credentials of it."""
        try:
            call, negotiation = self._call_of(request)
            _check_media_type(request, MEDIA_TYPE, "accept-patch")
            fragment = _fragment_in(request.body)
            restarts = bool(fragment.ufrag) and fragment.ufrag != negotiation.offer.first("ice-ufrag")
            _check_match(request, negotiation.entity_tag)
            response = await self._restart(call, negotiation, fragment) if restarts else RouteResponse(204)
            _add_candidates(call, fragment)
        except DoorRefused as refused:
            return RouteResponse.refusal(refused)
        return response

    async def _restart(self, call: DoorCall, negotiation: _Negotiation, fragment: Fragment) -> RouteResponse:
        offer = negotiation.offer.restarted(fragment)
        answer = Description.of(await call.answer(offer))
        negotiation.offer, negotiation.answer = Description.of(offer), answer
        return RouteResponse(200, answer.fragment(), MEDIA_TYPE, [("etag", negotiation.entity_tag)])

    async def delete(self, request: RouteRequest) -> RouteResponse:
        """§4.4: the client hangs up."""
        try:
            call, _ = self._call_of(request)
        except DoorRefused as refused:
            return RouteResponse.refusal(refused)
        call.end()
        return RouteResponse(200)

    def _call_of(self, request: RouteRequest) -> tuple[DoorCall, _Negotiation]:
        """One that has come in by this door. Raises ``DoorRefused``."""
        assert request.door is not None, "the gateway's requests have one"
        call = request.door.find(request.parameters["session_id"])
        negotiation = None if call is None else self._negotiations.get(call)
        if call is None or negotiation is None:
            raise _not_found()
        return call, negotiation


def _not_found() -> DoorRefused:
    return DoorRefused(404, "SESSION_NOT_FOUND", "The session has ended; offer again at the endpoint.")


def _check_media_type(request: RouteRequest, expected: str, header: str) -> None:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != expected:
        raise DoorRefused(415, "UNSUPPORTED_MEDIA_TYPE", f"Send {expected}.", ((header, expected),))


def _offer_in(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise DoorRefused(400, "MALFORMED", "Send a session description, which is UTF-8.") from None


def _check_tracks(offer: Description) -> None:
    """One track of each kind at most, in one stream (§4.4.2)."""
    kinds, streams = offer.sent
    if len(set(kinds)) < len(kinds) or len(set(streams)) > 1:
        raise DoorRefused(422, "TOO_MANY_TRACKS", "Offer one track of audio, in one MediaStream.")


def _fragment_in(body: bytes) -> Fragment:
    try:
        return parse_fragment_untrusted(body)
    except Malformed as error:
        raise DoorRefused(400, error.code, f"Correct the fragment: {error}.") from None


def _check_match(request: RouteRequest, entity_tag: str) -> None:
    """Candidates are for the generation that they name, and ``*`` is whichever there is (§4.3.1, RFC 9110 §13.1.1).

    A restart comes with the latter; so do the candidates of some clients, whose fragment has credentials all the same.
    """
    wanted = request.headers.get("if-match")
    if wanted is None:
        raise DoorRefused(428, "PRECONDITION_REQUIRED", "Send If-Match with the ETag of the session, or * to restart.")
    tags = [tag.strip() for tag in wanted.split(",")]
    if entity_tag not in tags and tags != ["*"]:
        raise DoorRefused(412, "PRECONDITION_FAILED", "ICE has been restarted since; use the ETag that came with that.")


def _add_candidates(call: DoorCall, fragment: Fragment) -> None:
    for mid, candidate in fragment.candidates:
        call.add_candidate(
            candidate,
            sdp_mid=mid,
            sdp_m_line_index=0 if mid is None else None,
            username_fragment=fragment.ufrag or None,
        )


def _links(call: DoorCall) -> Iterator[tuple[str, str]]:
    """The client's STUN and TURN servers (§4.6). What no header can hold is left out."""
    for server in call.ice_servers:
        urls = server["urls"]
        secrets = {name: str(server[name]) for name in ("username", "credential") if name in server}
        if not all(_is_visible(secret) for secret in secrets.values()):
            continue
        parameters = "".join(f'; {name}="{_quoted(value)}"' for name, value in secrets.items())
        parameters += '; credential-type="password"' if secrets else ""
        for url in [urls] if isinstance(urls, str) else urls:
            yield "link", f'<{url}>; rel="ice-server"{parameters}'


def _is_visible(text: str) -> bool:
    return text.isascii() and text.isprintable()


def _quoted(text: str) -> str:
    """As a quoted-string holds it (RFC 9110 §5.6.4)."""
    return text.replace("\\", "\\\\").replace('"', '\\"')
