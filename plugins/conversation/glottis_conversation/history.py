"""What was said so far, as a model is told it."""

from collections.abc import Sequence

from glottis_conversation.kinds import Message, ToolCall


class History:
    """The last ``limit`` messages. One begins with a caller's: results of tools are not left without their calls."""

    def __init__(self, instructions: str, limit: int) -> None:
        self.instructions = instructions
        self._limit = limit
        self._messages: list[Message] = []

    @property
    def messages(self) -> list[Message]:
        """With the instructions first."""
        system = [Message("system", self.instructions)] if self.instructions else []
        return [*system, *self._messages]

    @property
    def awaits_answer(self) -> bool:
        """Whether the caller has the last word."""
        return bool(self._messages) and self._messages[-1].role == "user"

    def add_user(self, text: str) -> None:
        """The caller's words; what follows others of the caller's unanswered goes on with them, and nothing is none."""
        if not text:
            return
        if self.awaits_answer:
            self._messages[-1] = Message("user", f"{self._messages[-1].text} {text}")
        else:
            self._messages.append(Message("user", text))
        self._forget()

    def add_assistant(self, heard: str) -> None:
        """What the caller has heard; nothing changes nothing."""
        if heard:
            self._messages.append(Message("assistant", heard))

    def add_tools(self, said: str, results: Sequence[tuple[ToolCall, str]]) -> None:
        """Tools that were run, after what was said before."""
        self._messages.append(Message("assistant", said, tuple(call for call, _ in results)))
        self._messages += [Message("tool", result, tool_call_id=call.id) for call, result in results]

    def _forget(self) -> None:
        if len(self._messages) > self._limit:
            starts = [at for at, message in enumerate(self._messages) if message.role == "user"]
            first = next((at for at in starts if at >= len(self._messages) - self._limit), starts[-1])
            del self._messages[:first]
