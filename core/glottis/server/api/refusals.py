"""How often sessions were refused, and for what."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from glottis.server.http.problem import Problem

MAX_CODES: Final = 64
"""The gateway has fewer; an auth scheme may make up its own."""
OTHER: Final = "other"


class Refusals(Counter[str]):
    """Requests for sessions, by the code that their clients were told."""

    def note(self, code: str) -> None:
        """One more."""
        self[code if code in self or len(self) < MAX_CODES else OTHER] += 1

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Note the refusal that is raised in the block."""
        try:
            yield
        except Problem as problem:
            self.note(problem.code)
            raise
