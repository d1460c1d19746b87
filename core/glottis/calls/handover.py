"""Who has the call: its first agent, and whoever it is handed to, one after the other."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from glottis.contracts.call import Agent
from glottis.contracts.checks import check_callable


@dataclass(frozen=True, slots=True)
class Colleague:
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
            check_callable("to", to)
            self._next = getattr(to, "__name__", "agent"), Colleague(to)
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
