"""The agent ``talker``: plays a tune until the caller speaks, listens, and goes on where it stopped."""

from collections.abc import Sequence

from glottis import AgentSpec, hookimpl

from glottis_talker.agent import talk

__all__ = ["talk"]


@hookimpl
def register_agents() -> Sequence[AgentSpec]:
    """The agent ``talker``; it takes no settings."""
    return [AgentSpec("talker", lambda settings: talk)]
