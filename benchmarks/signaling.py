"""How a caller reaches the two servers: what differs between them, and is not measured but for the answer's time."""

import json
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final

import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, open_websocket_url

Exchange = Callable[[str], Awaitable[str]]
"""Sends an offer, and returns the answer to it."""
Signaling = Callable[[int], AbstractAsyncContextManager[Exchange]]
"""Opens the signaling of a call with the server on this port, for as long as the call lasts."""

HOST: Final = "127.0.0.1"
CAMPAIGN: Final = "echo"


@asynccontextmanager
async def open_glottis_signaling(port: int) -> AsyncIterator[Exchange]:
    """As CONTRACT §1–3 has it: create a session, open its WebSocket, offer."""
    url = await trio.to_thread.run_sync(_create_session, port)
    async with open_websocket_url(url) as websocket, trio.open_nursery() as nursery:

        async def exchange(offer: str) -> str:
            await websocket.send_message(json.dumps({"type": "offer", "sdp": offer}))
            answer = await _next_answer(websocket)
            nursery.start_soon(_ignore_messages, websocket)
            return answer

        yield exchange
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def open_aiortc_signaling(port: int) -> AsyncIterator[Exchange]:
    """See ``aiortc_echo``."""
    async with await trio.open_tcp_stream(HOST, port) as stream:

        async def exchange(offer: str) -> str:
            await stream.send_all(json.dumps({"sdp": offer}).encode() + b"\n")
            line = b""
            while not line.endswith(b"\n"):
                line += await stream.receive_some()
            answer: str = json.loads(line)["sdp"]
            return answer

        yield exchange


SIGNALING: dict[str, Signaling] = {"glottis": open_glottis_signaling, "aiortc": open_aiortc_signaling}


def _create_session(port: int) -> str:
    audio = {"inputCodec": "OPUS", "outputCodec": "OPUS", "sampleRate": 48000}
    body = {"businessId": 1, "campaignId": CAMPAIGN, "transportType": "WebRTC", "audioConfig": audio}
    request = urllib.request.Request(
        f"http://{HOST}:{port}/api/websession/initiate",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as response:
        url: str = json.load(response)["websocketUrl"]
    return url


async def _next_answer(websocket: WebSocketConnection) -> str:
    while True:
        message = json.loads(await websocket.get_message())
        if message["type"] == "answer":
            answer: str = message["sdp"]
            return answer
        if message["type"] in ("error", "bye"):
            raise RuntimeError(f"the gateway refused the call: {message}")


async def _ignore_messages(websocket: WebSocketConnection) -> None:
    try:
        while True:
            await websocket.get_message()
    except ConnectionClosed:
        pass
