"""The ICE server provider ``http``: asks an endpoint of the operator's for STUN and TURN servers."""

from collections.abc import Sequence

from glottis import IceServerProviderSpec, hookimpl

from glottis_ice_http.provider import HttpIceServers
from glottis_ice_http.settings import HttpConfig

__all__ = ["HttpConfig", "HttpIceServers"]


@hookimpl
def register_ice_server_providers() -> Sequence[IceServerProviderSpec]:
    """The provider ``http``."""
    return [IceServerProviderSpec("http", HttpIceServers, HttpConfig)]
