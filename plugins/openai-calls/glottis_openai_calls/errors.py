"""Refusals as OpenAI words them."""

from typing import Any, Final

import msgspec
from glottis import DoorRefused, RouteResponse

_TYPES: Final = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


def response_of(refused: DoorRefused) -> RouteResponse:
    """The status of it, and ``{"error": {…}}``."""
    kind = _TYPES.get(refused.status, "invalid_request_error" if refused.status < 500 else "server_error")
    document = {"error": error_of(kind, refused.code.lower(), refused.detail)}
    return RouteResponse(
        refused.status, msgspec.json.encode(document), "application/json", refused.headers, refused.code
    )


def error_of(kind: str, code: str, message: str, param: str | None = None) -> dict[str, Any]:
    """``code`` is stable, and ``message`` says what to change."""
    return {"type": kind, "code": code, "message": message, "param": param}
