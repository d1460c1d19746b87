"""All hooks of glottis. They run at start-up, are synchronous, and return objects whose methods do the work.

An implementation may take fewer arguments than its specification. ``API_VERSION`` grows when a hook is added;
arguments may be added, never changed.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import pluggy

if TYPE_CHECKING:
    from glottis.contracts.auth import AuthSchemeSpec
    from glottis.contracts.call import AgentSpec
    from glottis.contracts.codec import CodecSpec
    from glottis.contracts.components import ComponentSpec
    from glottis.contracts.ice_servers import IceServerProviderSpec
    from glottis.contracts.pages import PagesSpec
    from glottis.contracts.routes import RoutesSpec

API_VERSION: Final = 3
ENTRY_POINT_GROUP: Final = "glottis"

hookspec = pluggy.HookspecMarker("glottis")
hookimpl = pluggy.HookimplMarker("glottis")


@hookspec
def register_agents() -> "Sequence[AgentSpec]":  # type: ignore[empty-body]
    """The agents of this plugin; a campaign names the one that it uses."""


@hookspec
def register_codecs() -> "Sequence[CodecSpec]":  # type: ignore[empty-body]
    """The codecs of this plugin; configuration lists those to offer and answer with, in order of preference."""


@hookspec
def register_auth_schemes() -> "Sequence[AuthSchemeSpec]":  # type: ignore[empty-body]
    """The auth schemes of this plugin; configuration names the one in force."""


@hookspec
def register_ice_server_providers() -> "Sequence[IceServerProviderSpec]":  # type: ignore[empty-body]
    """The STUN/TURN server providers of this plugin; configuration lists those that are asked."""


@hookspec
def register_pages() -> "Sequence[PagesSpec]":  # type: ignore[empty-body]
    """The static pages of this plugin; configuration lists those that are served."""


@hookspec
def register_routes() -> "Sequence[RoutesSpec]":  # type: ignore[empty-body]
    """The HTTP routes of this plugin, each set in a folder of its name below ``/api/plugins/``.

    Configuration lists the sets that are served. Who may use a route is the gateway's to check, and so are the limits
    of a request and the time that a handler takes.
    """


@hookspec
def register_components() -> "Sequence[ComponentSpec[Any]]":  # type: ignore[empty-body]
    """The components of this plugin: parts of others, which define their kinds, and whose settings name them."""
