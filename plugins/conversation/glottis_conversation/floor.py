"""The floor of one conversation, as its skills have it."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import trio
from glottis import Call

from glottis_conversation.history import History
from glottis_conversation.kinds import Manner, Message, Tool


class OneFloor:
    """A ``Floor``. ``nursery`` is there once the conversation has begun, and so before any tool is run."""

    def __init__(
        self,
        call: Call,
        history: History,
        *,
        speak_up: Callable[[str], None],
        hang_up: Callable[[], Awaitable[None]],
    ) -> None:
        self.call = call
        self.manner = Manner()
        self.tools: list[Tool] = []
        self.nursery: trio.Nursery | None = None
        self._history = history
        self._speak_up = speak_up
        self._hang_up = hang_up
        self._tasks = 0

    @property
    def history(self) -> Sequence[Message]:
        """What was said so far."""
        return self._history.messages

    @property
    def is_busy(self) -> bool:
        """Whether a skill does something for which the caller may be waiting."""
        return self._tasks > 0

    def speak_up(self, text: str) -> None:
        """See ``Floor``."""
        self._speak_up(text)

    def start_soon(self, task: Callable[..., Awaitable[object]], *args: Any) -> None:
        """See ``Floor``."""
        if self.nursery is None:
            raise RuntimeError("tasks of a skill begin when a tool is run")
        self._tasks += 1
        self.nursery.start_soon(self._run, task, *args)

    async def hang_up(self) -> None:
        """See ``Floor``."""
        await self._hang_up()

    async def _run(self, task: Callable[..., Awaitable[object]], *args: Any) -> None:
        try:
            await task(*args)
        finally:
            self._tasks -= 1
