"""What was said so far, as a model is told it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from glottis_conversation.kinds import Message, ToolCall

FIRST: Final = "root"
"""Stands for what is before all items."""


@dataclass(frozen=True, slots=True)
class _Entry:
    message: Message
    item: str = ""
    """Its name for the client, if it has one."""


Added = list[tuple[_Entry, str | None]]
"""Items of the client's, and which one each is to follow."""
Results = list[tuple[ToolCall, str]]
"""Of tools that were run in one step."""


class History:
    """The last ``limit`` messages. One begins with a caller's: results of tools are not left without their calls."""

    def __init__(self, instructions: str, limit: int) -> None:
        self.instructions = instructions
        self._limit = limit
        self._entries: list[_Entry] = []
        self._later: list[Added] = []
        """What the client adds while an answer is found, in parts that come behind steps of it."""
        self._steps: list[Results] = []
        """What the tools of these steps gave."""

    @property
    def messages(self) -> list[Message]:
        """With the instructions first; what follows others of the caller's unanswered goes on with them."""
        return [*([Message("system", self.instructions)] if self.instructions else []), *self.told]

    @property
    def told(self) -> list[Message]:
        """Without them."""
        told: list[Message] = []
        for message in (each.message for each in self._entries):
            if not message.text and message.role == "user":
                continue  # it is not understood
            if message.role == "user" == (told[-1].role if told else ""):
                told[-1] = Message("user", f"{told[-1].text} {message.text}")
            else:
                told.append(message)
        return told

    @property
    def awaits_answer(self) -> bool:
        """Whether the caller has the last word."""
        return bool(self.told) and self.told[-1].role == "user"

    def add_user(self, text: str, item: str = "") -> None:
        """The caller's words."""
        self._add(_Entry(Message("user", text), item))

    def add_assistant(self, heard: str, item: str = "") -> None:
        """What the caller has heard; nothing changes nothing."""
        if heard:
            self._entries.append(_Entry(Message("assistant", heard), item))

    def add_tools(self, said: str, results: Sequence[tuple[ToolCall, str]]) -> None:
        """Tools that were run, after what was said before."""
        if not results:
            self.add_assistant(said)
            return
        self._entries.append(_Entry(Message("assistant", said, tuple(call for call, _ in results))))
        self._entries += [_Entry(Message("tool", result, tool_call_id=call.id)) for call, result in results]

    def put_late(self, call: ToolCall, output: str) -> None:
        """What has come of a call that nobody waits for any longer stands at the end, and what stood for it nowhere."""
        for results in self._steps:
            results[:] = [each for each in results if each[0].arguments is not call.arguments]
        for at, entry in enumerate(self._entries):
            if given_up := [each for each in entry.message.tool_calls if each.arguments is call.arguments]:
                self._forget_call(at, given_up[0])
                break
        self.put(Message("assistant", "", (call,)), "")
        self.put(Message("tool", output, tool_call_id=call.id), "")

    def _forget_call(self, at: int, call: ToolCall) -> None:
        message = self._entries[at].message
        rest = tuple(each for each in message.tool_calls if each is not call)
        result = at + 1 + message.tool_calls.index(call)
        del self._entries[result : result + 1]
        kept = replace(self._entries[at], message=replace(message, tool_calls=rest))
        self._entries[at : at + 1] = [kept] if rest or message.text else []

    # What the client makes of it

    def put(self, message: Message, item: str, after: str | None = None) -> None:
        """Add an item behind another one, or at the end. Words that are not understood yet are empty."""
        if not self._later:
            self._add(_Entry(message, item), after)
        elif sum(map(len, self._later)) < self._limit:
            self._later[-1].append((_Entry(message, item), after))

    def fill(self, item: str, text: str) -> None:
        """They are understood now."""

        def filled(each: _Entry) -> _Entry:
            return replace(each, message=replace(each.message, text=text)) if each.item == item else each

        self._entries = [filled(each) for each in self._entries]
        for added in self._later:
            added[:] = [(filled(each), after) for each, after in added]

    def remove(self, item: str) -> None:
        """It was never said."""
        self._entries = [each for each in self._entries if each.item != item]
        for added in self._later:
            added[:] = [each for each in added if each[0].item != item]

    def hold(self) -> None:
        """An answer is found from now on."""
        self._later = [[]]

    def next_step(self, results: Results) -> Added:
        """Another step of it, after these results: what was added during the last one."""
        self._steps.append(results)
        self._later.append([])
        return self._later[-2]

    def add_added(self, added: Added) -> None:
        """It has its places behind the step."""
        for entry, after in added:
            self._add(entry, after)
        added.clear()

    def release(self) -> None:
        """The answer is there."""
        later, self._later, self._steps = self._later, [], []
        for added in later:
            self.add_added(added)

    def _add(self, entry: _Entry, after: str | None = None) -> None:
        places = [at for at, each in enumerate(self._entries, 1) if after and each.item == after]
        self._entries.insert(0 if after == FIRST else places[0] if places else len(self._entries), entry)
        self._forget()

    def _forget(self) -> None:
        if len(self._entries) > self._limit:
            starts = [at for at, each in enumerate(self._entries) if each.message.role == "user"]
            first = next((at for at in starts if at >= len(self._entries) - self._limit), starts[-1] if starts else 1)
            del self._entries[:first]
