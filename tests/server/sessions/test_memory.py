"""What an answered call takes of memory: as many calls as there are, so many times that."""

import gc
import logging
import struct
import tracemalloc
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trio
import trio.testing
from glottis.server.sessions.times import SessionTimes
from glottis.signaling.messages import Offer, encode_message
from support.memory import open_memory_exchange
from support.phone import Exchange, Phone

MAX_BYTES = 69_000
"""In the heap of Python, for a call that is to have audio, data channels and a WebSocket, both ends of its streams in
memory included. CPython 3.11 takes 67 kB."""
CALLS = 25
TIMES = 4
"""Tables of the gateway and of trio double as calls come, by up to 32 kB at once: not with each of these times."""
WARM_UP = 40
"""As many objects of a class as it takes CPython to know the size of their attributes, and some more."""


class BareClient:
    """Next to no memory at the other end: what is sent are bytes, and what comes is not kept."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._phone: Phone = exchange.phone()
        offer = encode_message(Offer(self._phone.peer.make_offer())).encode()
        self._offer = b"\x81\xfe" + struct.pack("!H", len(offer)) + bytes(4) + offer
        self._streams: list[trio.abc.HalfCloseableStream] = []

    async def call(self) -> None:
        """Up to the answer."""
        await self._phone.create()
        url = urlsplit(self._phone.url)
        assert url.hostname
        assert url.port
        stream = await self._exchange.network.connect(url.hostname, url.port)
        self._streams.append(stream)
        await stream.send_all(
            f"GET {url.path}?{url.query} HTTP/1.1\r\nHost: {url.netloc}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
        )
        await _read_to(stream, b"\r\n\r\n")
        await stream.send_all(self._offer)
        await _read_to(stream, b'"answer"')
        await trio.testing.wait_all_tasks_blocked()


async def _read_to(stream: trio.abc.HalfCloseableStream, end: bytes) -> None:
    received = b""
    while end not in received:
        received += await stream.receive_some()


async def traced(client: BareClient, calls: int) -> float:
    """Bytes that each of these calls holds."""
    gc.collect()
    tracemalloc.start(1)
    try:
        for _ in range(calls):
            await client.call()
        gc.collect()
        return tracemalloc.get_traced_memory()[0] / calls
    finally:
        tracemalloc.stop()


@pytest.mark.slow
async def test_answered_call_takes_little_memory(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)  # what pytest keeps of the log is none of the call's
    patient = SessionTimes(setup=3600)  # no call is given up meanwhile
    async with open_memory_exchange(tmp_path, times=patient) as exchange:
        client = BareClient(exchange)
        for _ in range(WARM_UP):
            await client.call()
        assert min([await traced(client, CALLS) for _ in range(TIMES)]) < MAX_BYTES
        assert len(exchange.gateway.sessions) == WARM_UP + TIMES * CALLS
