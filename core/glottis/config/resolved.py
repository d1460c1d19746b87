"""A configuration that fits the plugins: what was found, checked and made of all that it names."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from glottis.config.settings import Config, Workers
from glottis.contracts.audio import FRAME_MS
from glottis.contracts.auth import AuthScheme
from glottis.contracts.call import Agent, Call
from glottis.contracts.codec import CodecSpec
from glottis.contracts.doors import DoorRefused
from glottis.contracts.ice_servers import IceServerProvider
from glottis.contracts.pages import Page
from glottis.contracts.resampling import Resampling
from glottis.contracts.routes import RouteResponse
from glottis.plugins import Plugin, Registered
from glottis.plugins.extensions import Extension
from glottis.plugins.routes import Mounted


class CampaignAgent(msgspec.Struct, frozen=True):
    """An agent, made for one campaign."""

    agent: Agent
    name: str
    """By which its plugin registers it."""
    plugin: Plugin
    settings: msgspec.Struct | None = None
    told_settings: Mapping[str, Any] = msgspec.field(default_factory=dict)
    """Of an agent without a type of settings: its calls are told them."""

    @property
    def told(self) -> Any:
        """What its calls find as ``CallInfo.campaign_settings``."""
        return self.told_settings if self.settings is None else self.settings

    def __str__(self) -> str:
        return f"agent {self.name} of {self.plugin}"


class Elsewhere(msgspec.Struct, frozen=True):
    """Stands for an agent that is in a process of its own, where it has this name in its campaign."""

    name: str

    async def __call__(self, call: Call) -> None:
        raise AssertionError(f"agent {self.name} is in a process of its own")


class Campaign(msgspec.Struct, frozen=True):
    """What answers the calls of one ``campaignId``; ``sample_rate`` in hertz is that of the agents' audio.

    ``frame_ms`` is how long the frames of that are.
    """

    id: str
    agent: CampaignAgent
    """Who answers."""
    sample_rate: int
    agents: Mapping[str, CampaignAgent] = msgspec.field(default_factory=dict)
    """Those that calls can be handed to, by their names in the campaign. Who answers is one of them."""
    extensions: tuple[Extension, ...] = ()
    """In the order in which they are asked."""
    frame_ms: int = FRAME_MS
    max_sessions: float = math.inf
    """At a time."""
    max_call_time: float = math.inf
    max_silence: float = math.inf
    """Both in seconds, until the gateway hangs up."""
    workers: Workers | None = None
    """Where the agents are isolated: then each is ``Elsewhere``."""
    version: Callable[[], int] = lambda: 0
    """Another number whenever one of the agents was loaded anew."""


class NamedAuthScheme(msgspec.Struct, frozen=True):
    """The auth scheme in force."""

    name: str
    scheme: AuthScheme
    plugin: Plugin
    settings: msgspec.Struct | None = None


class NamedProvider(msgspec.Struct, frozen=True):
    """An ICE server provider, by the name that configuration calls it."""

    name: str
    provider: IceServerProvider
    plugin: Plugin
    settings: msgspec.Struct | None = None


class NamedRoutes(msgspec.Struct, frozen=True):
    """A set of routes."""

    name: str
    folder: str
    """Below which they are: ``/api/plugins/NAME``, unless it says where."""
    routes: tuple[Mounted, ...]
    plugin: Plugin
    settings: msgspec.Struct | None = None
    word: Callable[[DoorRefused], RouteResponse] | None = None
    """How the gateway's refusals below the folder are worded, if not as problem documents."""

    @property
    def paths(self) -> set[tuple[str, str]]:
        """Methods and paths, whatever the parameters are called."""
        return {(method, "/".join((self.folder, *segments))) for method, segments in (one.shape for one in self.routes)}


class ResolvedConfig(msgspec.Struct, frozen=True):
    """A configuration that can be served: everything that it names was found, checked and made."""

    config: Config
    auth: NamedAuthScheme
    campaigns: Mapping[str, Campaign]
    codecs: tuple[Registered[CodecSpec], ...]
    """In order of preference, at least one."""
    ice_server_providers: tuple[NamedProvider, ...] = ()
    page_sets: tuple[str, ...] = ()
    pages: Mapping[str, Page] = msgspec.field(default_factory=dict)
    """By absolute URL path, of all sets together."""
    route_sets: tuple[NamedRoutes, ...] = ()
    resampling: Resampling | None = None
    """Of uncompressed audio, if it is installed."""
    extensions: tuple[Extension, ...] = ()
    """Of all campaigns together; each is one object, wherever it is."""
    plugins: tuple[Plugin, ...] = ()
    """All that are loaded, to find the culprit of an error among."""
