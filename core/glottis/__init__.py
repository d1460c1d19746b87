"""glottis: a WebRTC voice gateway on trio. This module is what plugin authors import."""

import importlib
import warnings
from typing import TYPE_CHECKING

from glottis.contracts.audio import AudioFrame, EncodedPacket, FrameTap
from glottis.contracts.auth import AuthRequest, AuthScheme, AuthSchemeSpec
from glottis.contracts.call import (
    Agent,
    AgentSpec,
    BytesMessage,
    Call,
    CampaignInfo,
    Dropped,
    Heard,
    KeyPress,
    Message,
    Speakable,
    TextMessage,
    TypedMessage,
    Utterance,
)
from glottis.contracts.cluster import Cluster, Seat, SessionWish, Whereabouts
from glottis.contracts.codec import AdjustableEncoder, CodecSpec, Decoder, Encoder, EncoderKnobs, EncoderSettings
from glottis.contracts.components import Component, ComponentSpec
from glottis.contracts.deprecation import NAMES as _DEPRECATED
from glottis.contracts.deprecation import told as _told
from glottis.contracts.doors import Dialect, Door, DoorCall, DoorRefused, HangUp, Saying, ToAgent, ToClient
from glottis.contracts.echo import EchoCanceller, EchoCancelling
from glottis.contracts.errors import (
    AuthenticationFailed,
    ConfigurationError,
    Forbidden,
    GlottisError,
    LocalError,
    Malformed,
    MessageTooLong,
    NotInstalled,
    PluginError,
    RemoteError,
    WebSocketClosed,
)
from glottis.contracts.events import (
    CallEvent,
    ConnectionChanged,
    Interrupted,
    MediaNegotiated,
    OtherEvent,
    Resumed,
    StateChanged,
    StatisticsReported,
)
from glottis.contracts.extensions import Direction, GatewayInfo, Incoming, Keys, Milestone, SessionObserver, Tell
from glottis.contracts.figures import GatewayFigures
from glottis.contracts.hookspecs import hookimpl
from glottis.contracts.ice_servers import IceServer, IceServerProvider, IceServerProviderSpec
from glottis.contracts.info import AudioPreference, CallInfo, Principal
from glottis.contracts.pages import Page, PagesSpec
from glottis.contracts.panel import Button, Lamp
from glottis.contracts.parts import GatewayParts
from glottis.contracts.resampling import Resampler, Resampling
from glottis.contracts.routes import Access, Route, RouteRequest, RouteResponse, RouteSocket, RoutesSpec, SocketRoute
from glottis.contracts.secret import Secret
from glottis.contracts.session_desk import SessionDesk
from glottis.contracts.statistics import Statistics
from glottis.contracts.turns import Turn, TurnSettings, VoiceActivityDetector
from glottis.contracts.wishes import ClientFunction, Wishes
from glottis.script import run

__all__ = [
    "Access",
    "AdjustableEncoder",
    "Agent",
    "AgentSpec",
    "AudioFrame",
    "AudioPreference",
    "AuthRequest",
    "AuthScheme",
    "AuthSchemeSpec",
    "AuthenticationFailed",
    "Button",
    "BytesMessage",
    "Call",
    "CallEvent",
    "CallInfo",
    "CampaignInfo",
    "ClientFunction",
    "Cluster",
    "CodecSpec",
    "Component",
    "ComponentSpec",
    "ConfigurationError",
    "ConnectionChanged",
    "Decoder",
    "Dialect",
    "Direction",
    "Door",
    "DoorCall",
    "DoorRefused",
    "Dropped",
    "EchoCanceller",
    "EchoCancelling",
    "EncodedPacket",
    "Encoder",
    "EncoderKnobs",
    "EncoderSettings",
    "Forbidden",
    "FrameTap",
    "GatewayFigures",
    "GatewayInfo",
    "GatewayParts",
    "GlottisError",
    "HangUp",
    "Heard",
    "IceServer",
    "IceServerProvider",
    "IceServerProviderSpec",
    "Incoming",
    "Interrupted",
    "KeyPress",
    "Keys",
    "Lamp",
    "LocalError",
    "Malformed",
    "MediaNegotiated",
    "Message",
    "MessageTooLong",
    "Milestone",
    "NotInstalled",
    "OtherEvent",
    "Page",
    "PagesSpec",
    "PluginError",
    "Principal",
    "RemoteError",
    "Resampler",
    "Resampling",
    "Resumed",
    "Route",
    "RouteRequest",
    "RouteResponse",
    "RouteSocket",
    "RoutesSpec",
    "Saying",
    "Seat",
    "Secret",
    "SessionDesk",
    "SessionObserver",
    "SessionWish",
    "SocketRoute",
    "Speakable",
    "StateChanged",
    "Statistics",
    "StatisticsReported",
    "Tell",
    "TextMessage",
    "ToAgent",
    "ToClient",
    "Turn",
    "TurnSettings",
    "TypedMessage",
    "Utterance",
    "VoiceActivityDetector",
    "WebSocketClosed",
    "Whereabouts",
    "Wishes",
    "hookimpl",
    "run",
]

if not TYPE_CHECKING:  # for type checkers they are gone

    def __getattr__(name: str) -> object:
        """What only older plugins import."""
        if name not in _DEPRECATED:
            raise AttributeError(f"module 'glottis' has no attribute {name!r}")
        module, warning = _DEPRECATED[name]
        warnings.warn(_told(warning), stacklevel=2)
        return getattr(importlib.import_module(module), name)
