"""Both sides of the protocol of Twilio Media Streams.

The agent ``media-streams`` attaches bots that speak it to calls, and the routes ``twilio`` take calls of telephones.
"""

from collections.abc import Sequence

from glottis import AgentSpec, RoutesSpec, hookimpl

from glottis_media_streams.agent import NAME, MediaStreamsConfig, media_streams
from glottis_media_streams.door import FOLDER, TwilioConfig, routes
from glottis_media_streams.messages import RATE

__all__ = ["MediaStreamsConfig", "TwilioConfig", "media_streams"]


@hookimpl
def register_agents() -> Sequence[AgentSpec]:
    """The agent ``media-streams``."""
    return [AgentSpec(NAME, media_streams, MediaStreamsConfig, sample_rate=RATE)]


@hookimpl
def register_routes() -> Sequence[RoutesSpec]:
    """The routes ``twilio``."""
    return [RoutesSpec("twilio", routes, TwilioConfig, FOLDER)]
