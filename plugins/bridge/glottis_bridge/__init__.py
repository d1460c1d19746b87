"""The agent ``bridge``: joins each two callers who want the same room."""

from collections.abc import Sequence

from glottis import AgentSpec, hookimpl

from glottis_bridge.agent import Bridge, BridgeConfig

__all__ = ["Bridge", "BridgeConfig"]


@hookimpl
def register_agents() -> Sequence[AgentSpec]:
    """The agent ``bridge``."""
    return [AgentSpec("bridge", Bridge, BridgeConfig)]
