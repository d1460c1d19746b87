"""A service that speaks OpenAI Realtime as far as a test needs it."""

import base64
from collections import deque
from collections.abc import Sequence
from typing import Any

from support.socket_service import Peer

RATE = 24000


def event(kind: str, **others: Any) -> dict[str, Any]:
    return {"type": kind, "event_id": "event_1", **others}


def response(status: str, **others: Any) -> dict[str, Any]:
    return {"object": "realtime.response", "id": "resp_1", "status": status, "output": [], **others}


def created() -> dict[str, Any]:
    return event("response.created", response=response("in_progress"))


def done(status: str = "completed", **others: Any) -> dict[str, Any]:
    return event("response.done", response=response(status, **others))


def delta(kind: str, item: str, text: str) -> dict[str, Any]:
    return event(
        f"response.{kind}.delta", item_id=item, response_id="resp_1", output_index=0, content_index=0, delta=text
    )


def spoken(item: str, text: str, pcm: bytes, pieces: int = 4) -> list[dict[str, Any]]:
    """All events of an item that is said."""
    size = -(-len(pcm) // pieces) | 1  # cut within samples
    audio = [base64.b64encode(pcm[at : at + size]).decode() for at in range(0, len(pcm), size)]
    end = event("response.output_audio.done", item_id=item, response_id="resp_1", output_index=0, content_index=0)
    return [
        delta("output_audio_transcript", item, text),
        *(delta("output_audio", item, each) for each in audio),
        end,
    ]


def called(name: str, arguments: str, call_id: str = "call_1") -> dict[str, Any]:
    item = {"type": "function_call", "id": "item_f", "name": name, "call_id": call_id, "arguments": arguments}
    return event("response.output_item.done", response_id="resp_1", output_index=0, item=item)


class Model:
    """Answers each ``response.create`` by its list; anything else is kept by the peer."""

    def __init__(self, *answers: Sequence[Any]) -> None:
        self.answers = deque(answers)
        self.events: list[dict[str, Any]] = []
        """All that it has said."""

    async def behave(self, peer: Peer) -> None:
        await self.say(peer, event("session.created", session={"type": "realtime"}))
        while True:
            message = await peer.receive()
            if message["type"] == "session.update":
                await self.say(peer, event("session.updated", session={"type": "realtime"}))
            elif message["type"] == "response.create" and self.answers:
                await self.say(peer, *self.answers.popleft())

    async def say(self, peer: Peer, *events: dict[str, Any]) -> None:
        self.events += events
        await peer.send(*events)
