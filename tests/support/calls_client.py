"""A client of OpenAI's Realtime API, which calls a gateway in memory."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio
from glottis.sctp import ChannelOpened, DataChannel, TextReceived
from glottis_conversation import conversation

from support.http import Reply, request
from support.memory import open_memory_exchange
from support.phone import CONNECTED, Exchange, Phone, eventually
from support.plugins import TestPlugin
from support.talking import Mind, Mouth, settings

FORM = "multipart/form-data; boundary=----WebKitFormBoundaryx"
CLOCK = {"type": "function", "name": "clock", "description": "The time.", "parameters": {"type": "object"}}


class Client:
    """A phone, what its client has been answered, and told on its channel."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.phone: Phone = exchange.phone()
        self.location = ""
        self.channel: DataChannel | None = None

    async def ask(
        self, path: str, body: bytes = b"", media_type: str = "application/json", key: str = "", **more: str
    ) -> Reply:
        headers = {"content_type": media_type} | more | ({"authorization": f"Bearer {key}"} if key else {})
        return await request(
            self.exchange.gateway, "POST", f"/v1/realtime{path}", body, connect=self.exchange.network.connect, **headers
        )

    def offer(self) -> str:
        offer = self.phone.peer.make_offer()
        self.phone.driver.pump()
        return offer

    async def post(self, path: str = "/calls?model=test", key: str = "") -> Reply:
        reply = await self.ask(path, self.offer().encode(), "application/sdp", key)
        self.location = reply.headers.get("location", "").removeprefix("/v1/realtime")
        return reply

    async def post_form(self, model: str = "", **parts: bytes) -> Reply:
        """An offer, and further parts of a form after it."""
        boundary = FORM.partition("=")[2].encode()
        form = b"".join(
            b'--%b\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n' % (boundary, name.encode(), value)
            for name, value in {"sdp": self.offer().encode(), **parts}.items()
        )
        path = f"/calls?model={model}" if model else "/calls"
        return await self.ask(path, form + b"--%b--\r\n" % boundary, FORM)

    async def take(self, answer: str) -> None:
        self.phone.peer.accept_answer_untrusted(answer, trio.current_time())
        self.phone.driver.pump()
        await eventually(lambda: CONNECTED in self.phone.events)
        assert self.phone.peer.channels is not None
        channel = self.channel = self.phone.peer.channels.open("oai-events")
        self.phone.driver.pump()
        await eventually(lambda: ChannelOpened(channel) in self.phone.events)

    async def connect(self) -> "Client":
        await self.take((await self.post()).body.decode())
        await self.told("session.created")
        return self

    def say(self, kind: str, **members: Any) -> None:
        self.say_text(json.dumps({"type": kind, **members}))

    def say_text(self, text: str) -> None:
        assert self.channel is not None
        self.channel.send_text(text)
        self.phone.driver.pump()

    def write(self, text: str) -> None:
        content = [{"type": "input_text", "text": text}]
        self.say("conversation.item.create", item={"type": "message", "role": "user", "content": content})
        self.say("response.create")

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(one.text) for one in self.phone.events if isinstance(one, TextReceived)]

    @property
    def kinds(self) -> list[str]:
        return [event["type"] for event in self.events]

    async def told(self, kind: str, count: int = 1) -> dict[str, Any]:
        """Wait for the event of this type, the first or a later one."""
        await eventually(lambda: self.kinds.count(kind) >= count)
        return [event for event in self.events if event["type"] == kind][count - 1]


@asynccontextmanager
async def open_conversation(tmp_path: Path, mind: Mind, **others: Any) -> AsyncIterator[Client]:
    """With somebody who goes by all that a client may wish."""
    wishes = ("instructions", "functions", "turns", "speech", "length")
    config = settings(mind, **{"mouth": Mouth(), "instructions": "You are a clerk.", "wishes": wishes, **others})
    talker = TestPlugin(test=conversation(config))
    routes = talker.config() + '\n[routes]\nenabled = ["openai-calls"]\n'
    async with open_memory_exchange(tmp_path, routes, [talker]) as exchange:
        client = Client(exchange)
        client.phone.speaking = False
        await client.connect()
        await trio.sleep(0.1)  # the agent says what it goes by
        yield client
        assert all(event["error"]["code"] in EXPECTED for event in client.events if event["type"] == "error")


EXPECTED = {
    "item_delete_invalid_item_id",
    "item_not_found",
    "invalid_event",
    "input_audio_buffer_commit_empty",
    "unsupported_event",
    "invalid_value",
}


def spoken(client: Client) -> list[str]:
    done = [event for event in client.events if event["type"] == "response.output_audio_transcript.done"]
    return [event["transcript"] for event in done]
