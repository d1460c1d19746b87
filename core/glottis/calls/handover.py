"""Who has the call: its first agent, and whoever it is handed to, one after the other."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from glottis.contracts.call import Agent, Call
from glottis.contracts.errors import LocalError

_EXPECTED: Final = "expected the name of an agent, or an async function of the call"


class Colleague(msgspec.Struct, frozen=True):
    """An agent that calls can be handed to, and its settings as ``CallInfo.campaign_settings``; None: nothing new."""

    agent: Agent
    settings: Any = None


class Handover:
    """Knows the colleagues by their names, and which one is next; ``told`` hears the name of each that takes over."""

    def __init__(self, colleagues: Mapping[str, Colleague], told: Callable[[str], object]) -> None:
        self._colleagues = colleagues
        self._told = told
        self._next: tuple[str, Colleague] | None = None

    @property
    def names(self) -> Sequence[str]:
        """Of those that are known."""
        return tuple(self._colleagues)

    def plan(self, to: str | Agent) -> None:
        """The next one: by name, or a function; of several the last. Raises ``ValueError``."""
        if not isinstance(to, str):
            _check_agent(to)
            name = str(getattr(to, "__name__", "agent"))
            self._next = name, Colleague(_awaited(to, name))
        elif to in self._colleagues:
            self._next = to, self._colleagues[to]
        else:
            known = ", ".join(self._colleagues) or "none"
            raise ValueError(f"no agent of this campaign is called {to!r}; there are: {known}")

    def take(self) -> Colleague | None:
        """The next one, who takes over now; None if the call was not handed over."""
        planned, self._next = self._next, None
        if planned is None:
            return None
        name, colleague = planned
        self._told(name)
        return colleague

    def happened(self, name: str) -> None:
        """In another process, which knows the colleagues itself."""
        self._told(name)


def _check_agent(function: Agent) -> None:
    """Raises ``ValueError`` for what cannot be called with a call."""
    if isinstance(function, type) or not callable(function):
        got = f"the class {function.__name__}" if isinstance(function, type) else type(function).__name__
        raise ValueError(f"to: {_EXPECTED}, got {got}")
    try:
        signature = inspect.signature(function)
    except ValueError:  # some of those in C have none
        return
    try:
        signature.bind(None)
    except TypeError:
        raise ValueError(f"to: {_EXPECTED}, got one whose parameters are {signature}") from None


def _awaited(function: Agent, name: str) -> Agent:
    """The same; it raises ``LocalError`` in the call if it was no async function."""

    async def converse(call: Call) -> None:
        conversation: object = function(call)
        if not inspect.isawaitable(conversation):
            kind = type(conversation).__name__
            raise LocalError(f"transfer: {_EXPECTED}; {name} is not async, and returned {kind}")
        await conversation

    return converse
