"""The two requests that make a session."""

from collections.abc import Mapping
from typing import Any

from glottis import DoorRefused, Malformed, RouteRequest, RouteResponse

from glottis_iqra.answers import envelope, failure, message, session_document
from glottis_iqra.wishes import read_wish_untrusted


async def initiate(request: RouteRequest) -> RouteResponse:
    """``POST /api/v1/business/{businessId}/websession/initiate``, of the API."""
    business_id = request.parameters["business_id"]
    try:
        return envelope(
            await _invite(request, {"businessId": int(business_id) if _is_int64(business_id) else business_id})
        )
    except DoorRefused as refused:
        return failure(refused)


async def request_session(request: RouteRequest) -> RouteResponse:
    """``POST /api/session/request``, of the middleware that the widget asks."""
    try:
        return RouteResponse.json(session_document(await _invite(request, {})))
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
    return await request.door.invite({**wish, **more}, bearer=_token_in(request.headers.get("authorization", "")))


def _token_in(authorization: str) -> str:
    """Empty, if the header has none of the dialect's."""
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "token" else ""


def _is_int64(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 18
