"""The agent ``transfer``: a reception that hands calls over to the agent whom the caller chooses."""

from collections.abc import Sequence

from glottis import AgentSpec, hookimpl

from glottis_transfer.agent import Reception, TransferConfig

__all__ = ["Reception", "TransferConfig"]


@hookimpl
def register_agents() -> Sequence[AgentSpec]:
    """The agent ``transfer``."""
    return [AgentSpec("transfer", Reception, TransferConfig)]
