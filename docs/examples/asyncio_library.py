"""Asks a server by a library that is made for asyncio: trio-asyncio runs that within the call."""

import asyncio

from glottis import Call, TextMessage
from trio_asyncio import aio_as_trio, open_loop


async def ask(question: str, host: str, port: int) -> str:
    """The library: code of asyncio, which knows nothing of trio."""
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(question.encode() + b"\n")
    answer = await asyncio.wait_for(reader.readline(), timeout=10)
    writer.close()
    await writer.wait_closed()
    return answer.decode().strip()


async def asker(call: Call) -> None:
    """The agent. When the caller hangs up, what runs in the loop is cancelled, too."""
    settings = call.info.campaign_settings
    async with open_loop():
        async for message in call.messages:
            if isinstance(message, TextMessage):
                answer = await aio_as_trio(ask)(message.text, settings["host"], settings["port"])
                await call.send_text(answer, message.channel)
