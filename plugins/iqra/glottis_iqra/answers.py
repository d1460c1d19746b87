"""What clients of the dialect are answered: where their session is, or why there is none."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from glottis import DoorRefused, RouteResponse

CALLER: Final = "caller"
"""In the path for the client's id: the token says who the client is."""
IDS: Final = ("sessionId", "conversationSessionId", "webSessionId")
URLS: Final = ("sessionWebSocketURL", "sessionWebSocketUrl", "webSocketURL", "webSocketUrl", "websocketUrl")
"""The URL's name in the API and the middleware, of all versions, and in the published description."""


def session_document(created: Mapping[str, Any]) -> dict[str, Any]:
    """The gateway's own, with the names that clients of the dialect look for."""
    url = url_of_one_path(created["websocketUrl"])
    return {**created, **dict.fromkeys(IDS, created["sessionId"]), **dict.fromkeys(URLS, url)}


def url_of_one_path(url: str) -> str:
    """A session's URL as ``/ws/session/{sessionId}/webrtc/{clientId}/{token}`` (CONTRACT §2)."""
    parts = urlsplit(url)
    (token,) = parse_qs(parts.query)["token"]
    return f"{parts.scheme}://{parts.netloc}{parts.path}/{CALLER}/{token}"


def envelope(data: Mapping[str, Any]) -> RouteResponse:
    """Of the API: what there is, with ``success``."""
    return RouteResponse.json({"success": True, "code": None, "message": None, "data": data})


def failure(refused: DoorRefused) -> RouteResponse:
    """Of the API. Its clients look at ``success``: the status of whatever it says is 200."""
    code = f"InitiateWebSession:{refused.code}"
    document = {"success": False, "code": code, "message": refused.detail, "data": None}
    return _with_headers(RouteResponse.json(document), refused)


def failed_request(refused: DoorRefused) -> RouteResponse:
    """The same of what the gateway refuses before it is known to be a wish for a session: its status stays."""
    return replace(failure(refused), status=refused.status)


def message(refused: DoorRefused) -> RouteResponse:
    """Of the middleware: the widget shows the message."""
    document = {"message": refused.detail, "code": refused.code}
    return _with_headers(RouteResponse.json(document, refused.status), refused)


def _with_headers(response: RouteResponse, refused: DoorRefused) -> RouteResponse:
    return RouteResponse(response.status, response.body, response.media_type, refused.headers, refused.code)
