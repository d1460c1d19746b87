"""Hooks that select agents, made of a good one: who asks for the night gets it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from glottis import CallInfo
from glottis.plugins import Plugin
from glottis.plugins.extensions import Extension
from glottis.testing.rules.selection import Select

Hook = Callable[[CallInfo, Sequence[str]], Any]


def by(hook: Hook) -> Select:
    """As the gateway asks it."""
    extension = Extension(
        "sample",
        Plugin("sample"),
        {"select_agent": lambda call_info, available, settings: hook(call_info, available)},
    )
    return extension.select_agent


def good(call_info: CallInfo, available: Sequence[str]) -> str | None:
    wanted = call_info.dynamic_variables.get("agent")
    return wanted if isinstance(wanted, str) and wanted in available else None


def trusting(call_info: CallInfo, available: Sequence[str]) -> Any:
    """Takes what the caller says for the name of an agent."""
    return call_info.dynamic_variables.get("agent")


def demanding(call_info: CallInfo, available: Sequence[str]) -> Any:
    """Wants each caller to say something."""
    return good(call_info, available) if call_info.metadata["region"] else None


def nocturnal(call_info: CallInfo, available: Sequence[str]) -> Any:
    """Believes that each campaign has its agent."""
    return "night"


def slow(call_info: CallInfo, available: Sequence[str]) -> Any:
    for _ in range(150_000):
        pass
    return good(call_info, available)


GOOD = by(good)
BAD: Mapping[str, list[Select]] = {
    "any-call": [by(trusting), by(demanding), by(nocturnal)],
    "lateness": [by(slow)],
}
