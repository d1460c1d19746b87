"""What the client says by typed messages, and what comes of it."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import trio
from glottis import TypedMessage

from glottis_conversation.aside import Asides
from glottis_conversation.client import Client
from glottis_conversation.history import History
from glottis_conversation.kinds import Message
from glottis_conversation.listening import Listener, Said

MAX_NAME: Final = 256
"""Characters of a name that the client has for something."""


class Orders:
    """Of one call. ``send`` takes what is to be answered, ``is_answering`` says whether something is."""

    def __init__(
        self,
        client: Client,
        listener: Listener,
        history: History,
        asides: Asides,
        *,
        interrupt: Callable[[], None],
        is_answering: Callable[[], bool],
        send: Callable[[Said], Awaitable[None]],
    ) -> None:
        self._client = client
        self._listener = listener
        self._history = history
        self._asides = asides
        self._interrupt = interrupt
        self._is_answering = is_answering
        self._send = send
        self._wanting: trio.CancelScope | None = None
        """While the client wants an answer, and there is something to understand before."""

    def obey(self, message: TypedMessage, nursery: trio.Nursery) -> None:
        """One message. What takes time is done in the nursery."""
        match message.type, message.data:
            case "interrupt", _:
                if self._wanting is not None:
                    self._wanting.cancel()
                self._interrupt()
            case "function_call_output", data:
                self._put_out(data)
            case "input_commit", {"item": str(item)} if 0 < len(item) <= MAX_NAME:
                if self._listener.commit(item, nursery):
                    self._history.put(Message("user", ""), item)
            case "item", data if self._client.has_wishes:
                self._place(data)
            case "item_delete", {"item": str(item)}:
                self._history.remove(item)
            case "respond_aside", {"name": str(name)} as data if self._client.has_wishes and len(name) <= MAX_NAME:
                nursery.start_soon(self._asides.answer, name, data)
            case "input_clear", _:
                self._listener.clear()
            case "respond", data if self._client.has_wishes and self._wanting is None:
                self._respond(data.get("wishes"), nursery)

    def _put_out(self, data: Mapping[str, Any]) -> None:
        if (late := self._client.put_out(data)) is not None:
            self._history.put_late(*late)

    def _place(self, data: Mapping[str, Any]) -> None:
        """An item of the client's in the history."""
        match data:
            case {"item": str(item), "role": "user" | "assistant" | "system" as role, "text": str(text)}:
                if 0 < len(item) <= MAX_NAME and text and (role != "system" or self._client.may_instruct):
                    after = data.get("after")
                    self._history.put(Message(role, text), item, after if isinstance(after, str) else None)

    def _respond(self, wishes: object, nursery: trio.Nursery) -> None:
        mine: Mapping[str, Any] = wishes if isinstance(wishes, Mapping) else {}
        if not self._is_answering():
            self._wanting = trio.CancelScope()
            nursery.start_soon(self._want, self._wanting, mine)
        elif self._client.give_up_waiting():  # the rest of the answer is what is wanted
            self._history.instructions = self._client.instructions(mine)

    async def _want(self, scope: trio.CancelScope, wishes: Mapping[str, Any]) -> None:
        """An answer to all that was said by now."""
        with scope:
            await self._listener.wait_quiet()
            await self._send(Said("", trio.current_time(), is_wanted=True, wishes=wishes))
        self._wanting = None
