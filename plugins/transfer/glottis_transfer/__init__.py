"""The agent ``transfer``, a reception that hands calls over, and an extension for who knows already whom to ask for."""

from collections.abc import Sequence

from glottis import AgentSpec, CallInfo, hookimpl

from glottis_transfer.agent import Reception, TransferConfig
from glottis_transfer.selection import SelectionConfig, selected

__all__ = ["Reception", "SelectionConfig", "TransferConfig"]


@hookimpl
def register_agents() -> Sequence[AgentSpec]:
    """The agent ``transfer``."""
    return [AgentSpec("transfer", Reception, TransferConfig)]


@hookimpl
def extension_settings() -> type[SelectionConfig]:
    """Of ``select_agent``."""
    return SelectionConfig


@hookimpl
def select_agent(call_info: CallInfo, available: Sequence[str], settings: SelectionConfig) -> str | None:
    """Whom the request for the session names."""
    return selected(call_info, available, settings)
