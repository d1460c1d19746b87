"""The rules of who selects an agent for a call: the hook ``select_agent``."""

from collections.abc import Callable, Sequence
from typing import Final

from glottis.contracts.info import CallInfo, Principal
from glottis.testing.rules.effort import milliseconds_of_work
from glottis.testing.rules.rule import expect, rules_of

Select = Callable[[CallInfo, Sequence[str]], str | None]
"""As the gateway asks: it raises ``PluginError`` for what the hook must not return."""

MOST_MILLISECONDS: Final = 1.0
"""It is asked where all calls are served."""
_CALLS: Final = (
    CallInfo("session", "campaign"),
    CallInfo("session", "campaign", 7, "é\U0001f600:/?&=%00" * 16, principal=Principal("somebody's name")),
    CallInfo("session", "campaign", "business", metadata={"region": None}, dynamic_variables={"agent": ["night"]}),
    CallInfo("session", "campaign", dynamic_variables={"agent": "nobody of this name"}, transport="WebSocket"),
)
_AVAILABLE: Final = (("echo",), ("echo", "night"), ("é\U0001f600", "my.py:agent", "sales"))


def check_any_call(select: Select) -> None:
    """Whatever callers say of themselves, and whatever the operator calls the agents."""
    for call in _CALLS:
        for available in _AVAILABLE:
            select(call, available)


def check_lateness(select: Select) -> None:
    """It holds up all calls."""
    spent = milliseconds_of_work(lambda: [select(call, _AVAILABLE[-1]) for call in _CALLS]) / len(_CALLS)
    expect(spent <= MOST_MILLISECONDS, f"takes {spent:.1f} ms for a call, expected {MOST_MILLISECONDS:g} at most")


SELECTION_RULES: Final = rules_of(
    "selection",
    ("any-call", "for any call it names an agent that there is, or none", check_any_call),
    ("lateness", "a call takes little time", check_lateness),
)
