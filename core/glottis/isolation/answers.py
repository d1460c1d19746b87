"""What an agent in a worker asks the gateway for, and waits: messages to the client, and statistics."""

from collections.abc import Callable, Mapping
from typing import Any, Final, cast

import msgspec
import trio

from glottis.barrier import stop
from glottis.calls.messenger import Sender
from glottis.contracts.call import BytesMessage, Message, TextMessage
from glottis.contracts.errors import LocalError, MessageTooLong
from glottis.contracts.events import OtherEvent
from glottis.contracts.json_object import JsonObject
from glottis.contracts.statistics import Statistics
from glottis.isolation import messages
from glottis.isolation.messages import MAX_REASON
from glottis.isolation.pickles import pickled

MAX_ASKED: Final = 64
"""Things that one agent may wait for at a time; its worker lets further ones wait there."""


class Answers:
    """Does what is asked, each in a task, and tells the worker by ``answer``.

    ``sent`` hears of what was sent, ``failed`` of what the worker cannot be told.
    """

    def __init__(
        self,
        messenger: Sender,
        answer: Callable[[messages.Answer], None],
        sent: Callable[[Message | OtherEvent], None],
        failed: Callable[[BaseException], object],
        nursery: trio.Nursery,
        statistics: Callable[[], Statistics] = Statistics,
    ) -> None:
        self._messenger = messenger
        self._answer = answer
        self._sent = sent
        self._failed = failed
        self._nursery = nursery
        self._statistics = statistics
        self._asked: dict[int, trio.CancelScope] = {}

    def ask(self, ask: messages.Ask) -> None:
        """Begin with it, unless there are too many already."""
        if ask.number in self._asked or len(self._asked) >= MAX_ASKED:
            self._answer(messages.Answer(ask.call, ask.number, error=f"asked for more than {MAX_ASKED} things"))
            return
        scope = self._asked[ask.number] = trio.CancelScope()
        self._nursery.start_soon(self._do, ask, scope)

    def unask(self, number: int) -> None:
        """Nobody waits for it any more."""
        if (scope := self._asked.get(number)) is not None:
            scope.cancel()

    async def _do(self, ask: messages.Ask, scope: trio.CancelScope) -> None:
        answer = messages.Answer(ask.call, ask.number, error="cancelled")
        try:
            with scope:
                answer = await self._performed(ask)
        except LocalError as error:
            too_long = isinstance(error, MessageTooLong)
            answer = messages.Answer(ask.call, ask.number, error=str(error)[:MAX_REASON], is_too_long=too_long)
        except BaseException as error:
            stop(error, self._failed)
        finally:
            del self._asked[ask.number]
        self._answer(answer)

    async def _performed(self, ask: messages.Ask) -> messages.Answer:
        """With the label of a channel that was waited for."""
        answer = messages.Answer(ask.call, ask.number)
        match ask.what:
            case "text":
                text = ask.content.decode(errors="replace")
                await self._messenger.send_text(text, ask.name)
                self._sent(TextMessage(text, ask.name))
            case "bytes":
                await self._messenger.send_bytes(ask.content, ask.name)
                self._sent(BytesMessage(ask.content, ask.name or ""))
            case "event":
                await self._messenger.send_event(ask.name or "", _json_object(ask.content))
                self._sent(OtherEvent(ask.name or "", JsonObject(ask.content)))
            case "channel":
                answer.label = await self._messenger.wait_for_channel(ask.name)
            case "stats":
                answer.content = pickled(self._statistics())
        return answer


def _json_object(content: bytes) -> Mapping[str, Any]:
    """As it is to stand in the message: to decode it and to encode it again would cost for nothing."""
    try:
        return cast(Mapping[str, Any], msgspec.json.decode(content, type=msgspec.Raw))
    except msgspec.MsgspecError:
        raise LocalError("the data of an event: expected JSON") from None
