"""A phone provider at its end of a stream: it says what Twilio says, and plays what it is sent as time goes on."""

import base64
import json
from contextlib import suppress
from typing import Any, Final

import trio
from glottis_media_streams.messages import CONNECTED, RATE, Told
from trio_websocket import ConnectionClosed

from support.phone import eventually
from support.route_socket import RouteClient

BLOCK: Final = 160
"""Samples of a message."""
BUFFER: Final = 0.2
"""Seconds that it lets pass before it plays what it has."""


class Provider:
    """At a stream that was begun."""

    def __init__(self, client: RouteClient, nursery: trio.Nursery | None = None) -> None:
        self.client = client
        self.told = Told("MZ1", "CA1", "AC1")
        self.played = b""
        """All that came; ``clear`` takes from it what the caller has not heard."""
        self.marks: list[str] = []
        self.clears = 0
        self._waiting: list[tuple[str, trio.CancelScope]] = []
        self._plays_until = 0.0
        self._nursery = nursery

    async def say(self, *messages: Any) -> None:
        with suppress(ConnectionClosed):
            for message in messages:
                await self.client.send(message if isinstance(message, str | bytes) else json.dumps(message))

    async def begin(self, **parameters: str) -> None:
        await self.say(CONNECTED, self.told.start(parameters))

    async def speak(self, pcm: bytes) -> None:
        """At the pace of time."""
        began = trio.current_time()
        for index, start in enumerate(range(0, len(pcm), 2 * BLOCK)):
            await self.say(self.told.media(pcm[start : start + 2 * BLOCK]))
            await trio.sleep_until(began + (index + 1) * BLOCK / RATE)

    async def listen(self) -> None:
        """Until the gateway closes it."""
        with suppress(ConnectionClosed):
            while True:
                said = json.loads(await self.client.connection.get_message())
                assert said["streamSid"] == "MZ1"
                match said["event"]:
                    case "media":
                        self._buffer(base64.b64decode(said["media"]["payload"], validate=True))
                    case "mark":
                        assert self._nursery is not None
                        await self._nursery.start(self._mark, said["mark"]["name"])
                    case "clear":
                        self._clear()

    async def wait_closed(self, code: int) -> None:
        """While somebody listens."""
        await eventually(lambda: self.client.connection.closed)
        assert self.client.connection.closed is not None
        assert self.client.connection.closed.code == code

    def _buffer(self, payload: bytes) -> None:
        self._plays_until = max(self._plays_until, trio.current_time() + BUFFER) + len(payload) / RATE
        self.played += payload

    async def _mark(self, name: str, *, task_status: trio.TaskStatus[None]) -> None:
        with trio.CancelScope() as scope:
            self._waiting.append((name, scope))
            task_status.started()
            await trio.sleep_until(self._plays_until + len(self._waiting) * 1e-6)  # in their order
        self.marks.append(name)
        await self.say(self.told.mark(name))

    def _clear(self) -> None:
        self.clears += 1
        unheard = round((self._plays_until - trio.current_time()) * RATE)
        self.played = self.played[: len(self.played) - max(0, unheard)]
        self._plays_until = 0.0
        for _, scope in self._waiting:
            scope.cancel()
