"""WHIP (RFC 9725): a call by one HTTP request, in place of a WebSocket."""

from collections.abc import Sequence

from glottis import Route, RoutesSpec, hookimpl

from glottis_whip.endpoint import FOLDER, Endpoint, WhipConfig

__all__ = ["Endpoint", "WhipConfig", "register_routes"]


@hookimpl
def register_routes() -> list[RoutesSpec]:
    """The routes ``whip``."""
    return [RoutesSpec("whip", _routes, WhipConfig, FOLDER)]


def _routes(config: WhipConfig) -> Sequence[Route]:
    endpoint = Endpoint(config)
    return [
        Route("POST", "/{campaign_id}", "public", endpoint.post),
        Route("PATCH", "/{campaign_id}/{session_id}", "session", endpoint.patch),
        Route("DELETE", "/{campaign_id}/{session_id}", "session", endpoint.delete),
    ]
