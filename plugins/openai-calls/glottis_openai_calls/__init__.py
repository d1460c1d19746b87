"""The Realtime API's calls by WebRTC: an SDP offer by HTTP, and events by a data channel."""

from collections.abc import Sequence
from typing import Final

from glottis import Route, RoutesSpec, hookimpl

from glottis_openai_calls.endpoint import FOLDER, Endpoint, OpenAiCallsConfig
from glottis_openai_calls.errors import response_of

__all__ = ["Endpoint", "OpenAiCallsConfig", "register_routes"]

TIMEOUT: Final = 30.0
"""Seconds that a call may take to come about: agents may be loading."""


@hookimpl
def register_routes() -> list[RoutesSpec]:
    """The routes ``openai-calls``."""
    return [RoutesSpec("openai-calls", _routes, OpenAiCallsConfig, FOLDER, response_of)]


def _routes(config: OpenAiCallsConfig) -> Sequence[Route]:
    endpoint = Endpoint(config)
    return [
        Route("POST", "/realtime/calls", "public", endpoint.post, TIMEOUT, makes_calls=True),
        Route("POST", "/realtime/calls/{session_id}/hangup", "public", endpoint.hang_up),
        Route("POST", "/realtime/client_secrets", "public", endpoint.post_secret),
        # As clients of the API's preview know them
        Route("POST", "/realtime", "public", endpoint.post, TIMEOUT, makes_calls=True),
        Route("POST", "/realtime/sessions", "public", endpoint.post_session),
    ]
