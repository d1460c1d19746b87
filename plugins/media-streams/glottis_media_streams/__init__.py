"""The agent ``media-streams``: attaches bots that speak the protocol of Twilio Media Streams to calls."""

from collections.abc import Sequence

from glottis import AgentSpec, hookimpl

from glottis_media_streams.agent import NAME, MediaStreamsConfig, media_streams
from glottis_media_streams.messages import RATE

__all__ = ["MediaStreamsConfig", "media_streams"]


@hookimpl
def register_agents() -> Sequence[AgentSpec]:
    """The agent ``media-streams``."""
    return [AgentSpec(NAME, media_streams, MediaStreamsConfig, sample_rate=RATE)]
