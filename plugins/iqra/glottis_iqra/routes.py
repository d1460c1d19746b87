"""The two requests that make a session, and what the middleware asks before."""

from collections.abc import Mapping
from typing import Any, Final

from glottis import DoorRefused, Malformed, RouteRequest, RouteResponse

from glottis_iqra.answers import envelope, failure, message, session_document
from glottis_iqra.wishes import read_wish_untrusted

CONCURRENCY: Final = "Call_Concurrency"
"""What the dialect calls the number of calls at a time."""
ROOM: Final = 1_000_000


async def initiate(request: RouteRequest) -> RouteResponse:
    """``POST /api/v1/business/{businessId}/websession/initiate``, of the API."""
    text = request.parameters["business_id"]
    business_id = int(text) if _is_int64(text) else text
    try:
        return envelope(await _invite(request, {"businessId": business_id}))
    except DoorRefused as refused:
        return failure(refused)


async def usage(request: RouteRequest) -> RouteResponse:
    """``GET /api/v1/user/billing/usage``: the middleware asks how many calls there are, and how many there may be.

    It lets nobody call who is beyond that. Here there is always room: the gateway says itself when there is none.
    """
    return envelope({"currentUsage": {CONCURRENCY: 0}})


async def features(request: RouteRequest) -> RouteResponse:
    """``GET /api/v1/user/billing/featuresactivequantity``: the second half of the same."""
    return envelope({CONCURRENCY: ROOM})


async def request_session(request: RouteRequest) -> RouteResponse:
    """``POST /api/session/request``, of the middleware that the widget asks."""
    try:
        return RouteResponse.json(await _invite(request, {}))
    except DoorRefused as refused:
        return message(refused)


async def _invite(request: RouteRequest, more: Mapping[str, Any]) -> Mapping[str, Any]:
    assert request.door is not None, "the gateway's requests have one"
    if not request.headers.get("content-type", "").partition(";")[0].strip().lower().endswith("json"):
        raise DoorRefused(415, "UNSUPPORTED_MEDIA_TYPE", "Send application/json.")
    try:
        wish = read_wish_untrusted(request.body)
    except Malformed as error:
        raise DoorRefused(400, error.code, f"Correct the request: {error}.") from None
    bearer = _token_in(request.headers.get("authorization", ""))
    return session_document(await request.door.invite({**wish, **more}, bearer=bearer))


def _token_in(authorization: str) -> str:
    """Empty, if the header has none of the dialect's, where a key may be without a scheme, too."""
    scheme, _, token = authorization.strip().partition(" ")
    if not token:
        return scheme
    return token.strip() if scheme.lower() == "token" else ""


def _is_int64(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 18
