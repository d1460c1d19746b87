"""What the client is told of a conversation, in order, without anybody waiting for it."""

import logging
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

import trio
from glottis import Call, MessageTooLong
from glottis.contracts.wishes import WISHES

State = Literal["listening", "thinking", "speaking"]
CallerState = Literal["speaking", "silent"]
Role = Literal["user", "agent"]

MAX_WAITING: Final = 256
"""Events that wait for a client who does not take them: then the oldest is dropped."""

_logger = logging.getLogger(__name__)


class Teller:
    """The events of a conversation (CONTRACT §5). ``run`` is for a task."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._state: State | None = None
        self._waiting: deque[tuple[str, Mapping[str, Any]]] = deque(maxlen=MAX_WAITING)
        self._wakeup = trio.Event()
        self._told = trio.Event()
        self._dropped = 0

    @property
    def state(self) -> State | None:
        """The last that was told."""
        return self._state

    def state_is(self, state: State) -> None:
        """Tell a change of it."""
        if state != self._state:
            self._state = state
            self._tell("agent_state", {"state": state})

    def caller_is(self, state: CallerState) -> None:
        """Tell that the caller begins to speak, or has fallen silent, whatever that was."""
        self._tell("caller_state", {"state": state})

    def transcript(
        self,
        role: Role,
        text: str,
        *,
        is_final: bool = True,
        is_interrupted: bool = False,
        is_written: bool = False,
        is_cut: bool = False,
        item: str = "",
    ) -> None:
        """Tell what was said, as this item of the history; of what was ``is_interrupted``, what was heard.

        What ``is_cut`` has reached its limit.
        """
        flags = {"interrupted": is_interrupted, "written": is_written, "cut": is_cut}
        told: dict[str, object] = {name: True for name, is_so in flags.items() if is_so}
        if item:
            told["item"] = item
        self._tell("transcript", {"role": role, "text": text, "final": is_final, **told})

    def committed(self, item: str, text: str, *, is_failure: bool) -> None:
        """Tell what was said in what the client has committed as this."""
        failed = {"failed": True} if is_failure else {}
        self._tell("transcript", {"role": "user", "text": text, "final": True, "item": item, **failed})

    def turn(self, latency_ms: int, parts: Mapping[str, int]) -> None:
        """Tell how long the caller has waited for an answer, and what for."""
        self._tell("turn", {"latencyMs": latency_ms, "parts": parts})

    def honoured(self, wishes: Sequence[str], voices: Sequence[str]) -> None:
        """Tell which of the client's wishes are gone by, and by which names it may wish for voices."""
        self._tell(WISHES, {"honoured": wishes, "voices": voices})

    def aside(self, name: str, text: str | None) -> None:
        """Tell the answer to what the client has asked beside the conversation; None for want of one."""
        self._tell("aside", {"name": name, "text": text} if text is not None else {"name": name, "failed": True})

    def function_call(self, call_id: str, name: str, arguments: Mapping[str, Any]) -> None:
        """Have a function of the client's run there."""
        self._tell("function_call", {"callId": call_id, "name": name, "arguments": arguments})

    async def run(self) -> None:
        """Send what is told."""
        while True:
            while self._waiting:
                name, data = self._waiting.popleft()
                try:
                    await self._call.send_event(name, data)
                except MessageTooLong:
                    _logger.info("the client takes no %s that is so long", name)
            self._told.set()
            await self._wakeup.wait()

    async def drain(self, seconds: float) -> None:
        """Wait until all was sent, but not for longer than this."""
        with trio.move_on_after(seconds):
            await self._told.wait()
        if self._dropped or self._waiting:
            _logger.info("the client has missed %d events of a conversation", self._dropped + len(self._waiting))

    def _tell(self, name: str, data: Mapping[str, Any]) -> None:
        if len(self._waiting) == MAX_WAITING:
            self._dropped += 1
        self._waiting.append((name, data))
        self._told = trio.Event()
        self._wakeup.set()
        self._wakeup = trio.Event()
