"""A service of HTTP that does what a test says, and keeps what it was asked."""

import json
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import httpx2
import trio

Reply = httpx2.Response | Exception | Callable[[], Awaitable[httpx2.Response]]


class FakeService:
    """Replies by its list, and then with the last of it."""

    def __init__(self, *replies: Reply) -> None:
        self.replies = deque(replies)
        self.requests: list[httpx2.Request] = []
        self.transport = httpx2.MockTransport(self._handle)

    @property
    def bodies(self) -> list[Any]:
        """What was asked in JSON."""
        return [json.loads(request.content) for request in self.requests]

    async def _handle(self, request: httpx2.Request) -> httpx2.Response:
        await request.aread()
        self.requests.append(request)
        reply = self.replies.popleft() if len(self.replies) > 1 else self.replies[0]
        if isinstance(reply, Exception):
            raise reply
        return await reply() if callable(reply) else reply


def streamed(*parts: bytes | float | Exception, content_type: str = "text/event-stream") -> httpx2.Response:
    """An answer that comes in these parts; a number waits so many seconds."""

    async def content() -> AsyncIterator[bytes]:
        for part in parts:
            await trio.lowlevel.checkpoint()
            if isinstance(part, Exception):
                raise part
            if isinstance(part, float):
                await trio.sleep(part)
            else:
                yield part

    return httpx2.Response(200, content=content(), headers={"Content-Type": content_type})


def events(documents: Sequence[Any], *, end: bytes = b"data: [DONE]\n\n") -> bytes:
    """Server-sent events with these in JSON."""
    return b"".join(b"data: " + json.dumps(each).encode() + b"\n\n" for each in documents) + end


def chunk(text: str | None = None, **delta: Any) -> dict[str, Any]:
    """Of a chat's answer, as OpenAI has it."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "delta": {"content": text, **delta}, "finish_reason": None}],
    }


def call_piece(index: int | None, name: str | None, arguments: Any, identifier: str | None = None) -> dict[str, Any]:
    """A piece of a tool's call; what is None is left out."""
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    named = {key: value for key, value in (("index", index), ("id", identifier)) if value is not None}
    return {**named, "type": "function", "function": function}
