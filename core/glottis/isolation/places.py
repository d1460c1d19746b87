"""The places of calls in one worker, and the pipe that leads there."""

from collections.abc import Callable
from typing import Final

import trio

from glottis.barrier import stop
from glottis.isolation import messages
from glottis.isolation.messages import FromGateway, FromWorker, encode, parse_from_worker_untrusted
from glottis.isolation.pipe import Pipe
from glottis.isolation.remote_call import RemoteCall
from glottis.wire.token_bucket import TokenBucket

MESSAGES_PER_CALL: Final = 1000
"""That a worker may send in a second and for each place, in the long run: several times as many as are of use. More are
read no faster than that."""

MAX_IN_A_ROW: Final = 64
"""Messages that are taken before others have their turn: half a millisecond."""


class Places:
    """``most`` calls at a time; ``changed`` is told when there may be room."""

    def __init__(self, pipe: Pipe, most: int, changed: Callable[[], None]) -> None:
        self.is_ready = False
        """Whether the agent was made."""
        self.refusal = ""
        """Why it could not be made."""
        self.heard_at = trio.current_time()
        """When the worker has told anything last."""
        self._pipe = pipe
        self._most = most
        self._changed = changed
        self._calls: dict[int, RemoteCall] = {}
        self._leaving: dict[int, float] = {}
        """Calls that are over, whose agents have not stopped yet, and since when."""
        self._last_number = 0
        self._rate = TokenBucket(MESSAGES_PER_CALL * most, MESSAGES_PER_CALL * most, self.heard_at)

    @property
    def taken(self) -> int:
        """How many there are no longer."""
        return len(self._calls) + len(self._leaving)

    @property
    def has_room(self) -> bool:
        """Whether another call can have one."""
        return self.is_ready and self.taken < self._most

    @property
    def has_calls(self) -> bool:
        """Whether any is of a call that goes on."""
        return bool(self._calls)

    @property
    def waiting(self) -> int:
        """Bytes that the worker has not taken."""
        return self._pipe.waiting

    def send(self, message: FromGateway) -> None:
        """To the worker."""
        self._pipe.send(encode(message))

    def take(self, call: RemoteCall) -> int:
        """A number for the call, which is told what comes of it from now on."""
        self._last_number += 1
        self._calls[self._last_number] = call
        return self._last_number

    def leave(self, number: int) -> None:
        """The call is over. The place is free when the agent has stopped."""
        if self._calls.pop(number, None) is not None:
            self._leaving[number] = trio.current_time()
            self.send(messages.Cancel(number))

    def lose(self, error: BaseException) -> int:
        """The worker is gone: tell all calls; returns how many they were."""
        calls = list(self._calls.values())
        self._calls.clear()
        self._leaving.clear()
        self.is_ready = False
        for call in calls:
            call.lost(error)
        return len(calls)

    def longest_leave(self, now: float) -> float:
        """For how many seconds an agent has not stopped that was cancelled."""
        return now - min(self._leaving.values(), default=now)

    def close(self) -> None:
        """Let the worker end."""
        self._pipe.close()

    async def write(self) -> None:
        """What the worker had no room for: until cancelled, or the worker is gone."""
        await self._pipe.run()

    async def read_untrusted(self) -> None:
        """Until the worker is gone. Raises ``Malformed``."""
        while await self._pipe.read():
            self.heard_at = trio.current_time()
            for count, body in enumerate(iter(self._pipe.incoming.next_body_untrusted, None), 1):
                self._take(parse_from_worker_untrusted(body))
                if (seconds := self._rate.borrow(self.heard_at)) > 0:
                    await trio.sleep(seconds)
                if count % MAX_IN_A_ROW == 0:
                    await trio.lowlevel.checkpoint()

    def _take(self, message: FromWorker) -> None:
        match message:
            case messages.Ready():
                self.is_ready = True
            case messages.Refused(reason):
                self.refusal = reason
            case messages.Alive():
                pass
            case _:
                self._tell(message)
                if isinstance(message, messages.Stopped):
                    self._calls.pop(message.call, None)
                    self._leaving.pop(message.call, None)
        self._changed()

    def _tell(self, message: messages.OfCall) -> None:
        call = self._calls.get(message.call)
        if call is None:
            return
        try:
            call.take(message)
        except BaseException as error:
            stop(error, call.lost)
