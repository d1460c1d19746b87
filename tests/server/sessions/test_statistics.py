"""What was counted of a session, as its agent, its client and operators are told it."""

from pathlib import Path
from typing import Any

import msgspec
import trio
from glottis import Call, TextMessage
from glottis.server.sessions.times import SessionTimes
from glottis.signaling.messages import Text
from support.http import request
from support.memory import open_memory_exchange_with
from support.phone import Exchange, Phone, eventually
from support.plugins import TestPlugin


async def asked(exchange: Exchange, phone: Phone) -> dict[str, Any]:
    path = f"/api/sessions/{phone.session_id}/stats"
    reply = await request(exchange.gateway, "GET", path, connect=exchange.network.connect)
    assert reply.status == 200
    answer: dict[str, Any] = msgspec.json.decode(reply.body)
    return answer


async def test_agent_client_and_operator_are_told_the_same_objects(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    told: list[dict[str, Any]] = []

    async def listener(call: Call) -> None:
        call.nursery.start_soon(listen, call)
        async for message in call.messages:
            if isinstance(message, TextMessage):
                told.append((await call.stats()).to_json())

    async def listen(call: Call) -> None:
        async for frame in call.audio:
            await call.say(frame)

    times = SessionTimes(statistics=1.0)
    async with open_memory_exchange_with(tmp_path, TestPlugin(parrot=listener), times=times) as exchange:
        phone = await exchange.call("parrot")
        phone.speaking = True
        await phone.hear(100)
        await phone.socket.send(Text("what do you see?"))
        await eventually(lambda: told and phone.socket.events("statistics"))
        for kinds in (told[0], phone.socket.events("statistics")[-1], await asked(exchange, phone)):
            assert kinds.keys() >= {"transport", "candidate-pair", "inbound-rtp", "outbound-rtp", "agent"}
            assert all(one["id"] == name and one["timestamp"] > 0 for name, one in kinds.items())
            assert kinds["agent"]["servingTime"] > 0
        await phone.hang_up()
        assert (await asked(exchange, phone))["inbound-rtp"]["packetsReceived"] >= 90, "kept for a while"
