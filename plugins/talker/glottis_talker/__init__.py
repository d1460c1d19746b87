"""The agent ``talker``: plays a tune until the caller speaks, listens, and goes on where it stopped."""

from collections.abc import Sequence

from glottis import AgentSpec, hookimpl

from glottis_talker.agent import TalkerConfig, talker

__all__ = ["TalkerConfig", "talker"]


@hookimpl
def register_agents() -> Sequence[AgentSpec]:
    """The agent ``talker``."""
    return [AgentSpec("talker", talker, TalkerConfig)]
