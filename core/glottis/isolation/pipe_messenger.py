"""The worker's side of messages to the client: the gateway sends them, and says when they are on their way."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, cast

import msgspec
import trio

from glottis.contracts.errors import LocalError, MessageTooLong
from glottis.contracts.statistics import Statistics
from glottis.isolation import messages
from glottis.isolation.answers import MAX_ASKED
from glottis.isolation.messages import LONGEST_FROM_WORKER, FromWorker
from glottis.isolation.pickles import unpickled
from glottis.signaling.messages import Event, encode_message

MAX_CONTENT = LONGEST_FROM_WORKER - 64 * 1024
"""Bytes of a message: no client takes so many, and no label is as long as the rest."""

What = Literal["text", "bytes", "event", "channel", "stats"]


class PipeMessenger:
    """A ``Sender``."""

    def __init__(self, call: int, send: Callable[[FromWorker], None]) -> None:
        self._call = call
        self._send = send
        self._places = trio.Semaphore(MAX_ASKED)
        self._asked: dict[int, _Asked] = {}
        self._last = 0

    async def send_text(self, text: str, label: str | None) -> None:
        """See ``Sender``."""
        await self._ask("text", label, text.encode())

    async def send_bytes(self, data: bytes, label: str | None) -> None:
        """See ``Sender``."""
        await self._ask("bytes", label, data)

    async def send_event(self, name: str, data: Mapping[str, Any]) -> None:
        """See ``Sender``."""
        encode_message(Event(name, data))  # which says what is wrong with it
        await self._ask("event", name, msgspec.json.encode(data))

    async def wait_for_channel(self, label: str | None) -> str:
        """See ``Sender``."""
        return (await self._ask("channel", label, b"")).label

    async def stats(self) -> Statistics:
        """What the gateway has counted by now."""
        return cast(Statistics, unpickled((await self._ask("stats", None, b"")).content))

    async def flush(self) -> None:
        """The gateway does, once the agent has stopped."""
        await trio.lowlevel.checkpoint()

    def answered(self, answer: messages.Answer) -> None:
        """The gateway has done something, or could not."""
        if (asked := self._asked.get(answer.number)) is not None:
            asked.answer = answer
            asked.is_answered.set()

    async def _ask(self, what: What, name: str | None, content: bytes) -> messages.Answer:
        if len(content) > MAX_CONTENT or len(name or "") > MAX_CONTENT:
            raise MessageTooLong(f"no client takes a message of {len(content)} bytes")
        async with self._places:
            self._last += 1
            number = self._last
            asked = self._asked[number] = _Asked()
            self._send(messages.Ask(self._call, number, what, name, content))
            try:
                await asked.is_answered.wait()
            finally:
                del self._asked[number]
                if asked.answer is None:
                    self._send(messages.Unask(self._call, number))
        assert asked.answer is not None
        if asked.answer.error:
            raise (MessageTooLong if asked.answer.is_too_long else LocalError)(asked.answer.error)
        return asked.answer


class _Asked:
    def __init__(self) -> None:
        self.is_answered = trio.Event()
        self.answer: messages.Answer | None = None
