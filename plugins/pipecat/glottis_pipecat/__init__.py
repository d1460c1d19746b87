"""Pipecat's SmallWebRTC transport: an offer in JSON, candidates by PATCH, and RTVI by a data channel."""

from collections.abc import Sequence
from typing import Final

from glottis import Route, RoutesSpec, hookimpl

from glottis_pipecat.endpoint import FOLDER, Endpoint, PipecatConfig

__all__ = ["Endpoint", "PipecatConfig", "register_routes"]

TIMEOUT: Final = 30.0
"""Seconds that a call may take to come about: agents may be loading."""


@hookimpl
def register_routes() -> list[RoutesSpec]:
    """The routes ``pipecat``."""
    return [RoutesSpec("pipecat", _routes, PipecatConfig, FOLDER)]


def _routes(config: PipecatConfig) -> Sequence[Route]:
    endpoint = Endpoint(config)
    of_session = "/sessions/{session_id}/api/offer"  # as the transport makes it of the URL that ends with /start
    return [
        Route("POST", "/start", "public", endpoint.start, TIMEOUT, makes_calls=True),
        Route("POST", "/api/offer", "public", endpoint.offer, TIMEOUT, makes_calls=True),
        Route("PATCH", "/api/offer", "public", endpoint.trickle),
        Route("POST", of_session, "public", endpoint.offer_again, TIMEOUT),
        Route("PATCH", of_session, "public", endpoint.trickle_there),
    ]
