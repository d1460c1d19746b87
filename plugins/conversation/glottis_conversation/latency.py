"""How long a caller waits for an answer, and what for."""

from dataclasses import dataclass, field

import trio


@dataclass(slots=True)
class Waterfall:
    """Of one turn: what has taken how long, one after the other, from the caller's last word on."""

    silence_ms: int
    """Until the caller was taken to have finished."""
    ended_at: float
    """When that was, in trio's time."""
    parts: dict[str, int] = field(default_factory=dict)
    """Milliseconds."""
    is_told: bool = False

    def reached(self, part: str) -> None:
        """``part`` has its first result, unless it had one before."""
        if part not in self.parts:
            spent = sum(self.parts.values())
            self.parts[part] = max(0, round(1000 * (trio.current_time() - self.ended_at)) - spent)

    @property
    def total_ms(self) -> int:
        """All of it."""
        return self.silence_ms + sum(self.parts.values())
