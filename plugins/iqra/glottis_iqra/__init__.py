"""The web sessions of Iqra AI: calls for clients of its API, and for its web widget."""

from collections.abc import Sequence
from typing import Final

from glottis import Route, RoutesSpec, hookimpl

from glottis_iqra.answers import failed_request, message
from glottis_iqra.routes import features, initiate, request_session, usage

__all__ = ["register_routes"]

TIMEOUT: Final = 30.0
"""As long as the gateway gives its auth scheme, its providers, and agents that are being loaded."""


@hookimpl
def register_routes() -> list[RoutesSpec]:
    """The routes ``iqra``, of the API, and ``iqra-widget``, of the middleware that stands before it."""
    return [
        RoutesSpec("iqra", _of_the_api, folder="/api/v1", refuse=failed_request),
        RoutesSpec("iqra-widget", _of_the_widget, folder="/api/session", refuse=message),
    ]


def _of_the_api(settings: None) -> Sequence[Route]:
    return [
        Route("POST", "/business/{business_id}/websession/initiate", "public", initiate, TIMEOUT, makes_calls=True),
        Route("GET", "/user/billing/usage", "public", usage),
        Route("GET", "/user/billing/featuresactivequantity", "public", features),
    ]


def _of_the_widget(settings: None) -> Sequence[Route]:
    return [Route("POST", "/request", "public", request_session, TIMEOUT, makes_calls=True)]
