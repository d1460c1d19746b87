"""WHIP (RFC 9725): a call by one HTTP request, in place of a WebSocket."""

from collections.abc import Sequence
from typing import Final

from glottis import Route, RoutesSpec, hookimpl

from glottis_whip.endpoint import FOLDER, SDP, Endpoint, WhipConfig
from glottis_whip.fragments import MEDIA_TYPE

__all__ = ["Endpoint", "WhipConfig", "register_routes"]

TIMEOUT: Final = 30.0
"""Of an offer: as long as the gateway gives its auth scheme, its providers, and agents that are being loaded."""


@hookimpl
def register_routes() -> list[RoutesSpec]:
    """The routes ``whip``."""
    return [RoutesSpec("whip", _routes, WhipConfig, FOLDER)]


def _routes(config: WhipConfig) -> Sequence[Route]:
    endpoint = Endpoint(config)
    return [
        Route("GET", "/{campaign_id}", "public", endpoint.get),
        Route("POST", "/{campaign_id}", "public", endpoint.post, TIMEOUT, makes_calls=True, accepts=SDP),
        Route("GET", "/{campaign_id}/{session_id}", "session", endpoint.get),
        Route("PATCH", "/{campaign_id}/{session_id}", "session", endpoint.patch, accepts=MEDIA_TYPE),
        Route("DELETE", "/{campaign_id}/{session_id}", "session", endpoint.delete),
    ]
