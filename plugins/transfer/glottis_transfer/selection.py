"""Whom the request for a session asks for, so that its caller need not choose."""

from collections.abc import Sequence

import msgspec
from glottis import CallInfo


class SelectionConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the extension."""

    variable: str = "agent"
    """The member of the request's ``dynamicVariables`` that names the agent."""


def selected(call_info: CallInfo, available: Sequence[str], config: SelectionConfig) -> str | None:
    """A name that is available; None if the request has none, or another, which any client can write."""
    wanted = call_info.dynamic_variables.get(config.variable)
    return wanted if isinstance(wanted, str) and wanted in available else None
