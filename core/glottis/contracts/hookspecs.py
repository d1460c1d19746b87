"""All hooks of glottis. They run at start-up or once for each call, are synchronous, and return what does the work.

An implementation may take fewer arguments than its specification: they are passed by name. ``API_VERSION`` grows when a
hook or an argument is added; neither is ever changed. What is to go is deprecated first: see
``glottis.contracts.deprecation``.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, Final

import msgspec
import pluggy

if TYPE_CHECKING:
    from glottis.contracts.audio import FrameTap
    from glottis.contracts.auth import AuthSchemeSpec
    from glottis.contracts.call import AgentSpec
    from glottis.contracts.cluster import Cluster, Seat
    from glottis.contracts.codec import CodecSpec
    from glottis.contracts.components import ComponentSpec
    from glottis.contracts.extensions import Direction, GatewayInfo, Keys, Tell
    from glottis.contracts.ice_servers import IceServerProviderSpec
    from glottis.contracts.info import CallInfo
    from glottis.contracts.pages import PagesSpec
    from glottis.contracts.routes import RoutesSpec
    from glottis.contracts.statistics import Statistics

API_VERSION: Final = 3
OLDEST_API_VERSION: Final = 1
"""Plugins that say they were made for an earlier one are refused."""
SINCE: Final = {
    "register_agents": 1,
    "register_codecs": 1,
    "register_auth_schemes": 1,
    "register_ice_server_providers": 1,
    "register_pages": 1,
    "register_components": 2,
}
"""The version that each hook came with; those that are not here came with the last one."""
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


@hookspec
def extension_settings() -> type[msgspec.Struct]:  # type: ignore[empty-body]
    """The type of the settings of this plugin's hooks below, which get them as ``settings``; without it, they get None.

    A plugin that has any of these hooks is an *extension*. Configuration lists those that are enabled, for all
    campaigns or for one, and in this order they are asked.
    """


@hookspec
def select_agent(call_info: "CallInfo", available: Sequence[str], settings: Any) -> str | None:
    """Which agent answers a new call: one of the names that are available, or None to leave it to others.

    Called when a session is created, where its campaign has further agents: these, and the one who answers if nobody
    selects. The first extension that names one decides. What one does wrong is told to the log, and counts as None.
    """


@hookspec
def audio_processors(  # type: ignore[empty-body]
    call_info: "CallInfo", direction: "Direction", tell: "Tell", keys: "Keys", settings: Any
) -> "Sequence[FrameTap]":
    """What is to be done, one after the other, with each frame of one direction of a new call.

    ``input`` is what the agent hears: lost packets are concealed in it, and time goes on over silence. ``output`` is
    what the caller is sent, before it is encoded. Packets that an agent reads, or passes on, as they are do not come
    by. Called when the session is created, for each direction. A processor is a plain function, called in the media
    tick, which returns a frame of the same length and rate. One that does not, or raises, is left out of the call.
    ``keys`` is for one that finds keys in what is heard.
    """


@hookspec
def session_observers(  # type: ignore[empty-body]
    call_info: "CallInfo", tell: "Tell", statistics: Callable[[], "Statistics"], settings: Any
) -> Sequence[object]:
    """Who is to be told of what happens in a new session: objects with some of the methods of ``SessionObserver``.

    ``statistics`` tells at any time from then on what was counted of the session so far.
    """


@hookspec
def gateway_lifespan(  # type: ignore[empty-body]
    gateway_info: "GatewayInfo", settings: Any
) -> AbstractAsyncContextManager[object]:
    """What is to be there as long as the gateway: entered before it serves, and left when it has stopped.

    The last is left first. A background task of it may have a nursery of its own; what that raises does not end the
    gateway. What is raised on entering keeps the gateway from starting.
    """


@hookspec
def join_cluster(seat: "Seat", settings: Any) -> "Cluster":  # type: ignore[empty-body]
    """Who knows the other gateways that are one with this one to their callers: on which of them a session is created,
    how often a client has asked all of them together, and which of them has a session.

    Called once, when the gateway is about to serve, after the lives of the extensions have begun: of the first one that
    has this hook. ``seat`` is what the others may have of this gateway: a session, and a look at how full it is.
    """
