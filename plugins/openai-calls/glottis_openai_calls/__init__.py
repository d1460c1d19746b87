"""The Realtime API's calls by WebRTC: an SDP offer by HTTP, and events by a data channel."""

from collections.abc import Sequence

from glottis import Route, RoutesSpec, hookimpl

from glottis_openai_calls.endpoint import FOLDER, Endpoint, OpenAiCallsConfig

__all__ = ["Endpoint", "OpenAiCallsConfig", "register_routes"]


@hookimpl
def register_routes() -> list[RoutesSpec]:
    """The routes ``openai-calls``."""
    return [RoutesSpec("openai-calls", _routes, OpenAiCallsConfig, FOLDER)]


def _routes(config: OpenAiCallsConfig) -> Sequence[Route]:
    endpoint = Endpoint(config)
    return [
        Route("POST", "/calls", "public", endpoint.post),
        Route("POST", "/calls/{session_id}/hangup", "public", endpoint.hang_up),
        Route("POST", "/client_secrets", "public", endpoint.post_secret),
    ]
