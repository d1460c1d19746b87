"""Data channels of aiortc, which calls the gateway's echo agent."""

import base64
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trio
from glottis.client.grant import create_session
from glottis.client.signaling import ClientSignaling, open_client_signaling
from glottis.signaling.messages import Answer, Error, Event, Offer
from support.aiortc import AiortcPeer, open_aiortc
from support.audio import SPEECH
from support.gateway import open_test_gateway
from support.patience import PROCESS_PATIENCE

GREETING = {"text": "Backend connected"}
CONNECTED = Event("connection", {"state": "connected"})
SIZES = [1, 1150, 1200, 16 * 1024, 64 * 1024, 256 * 1024]


@pytest.fixture
async def aiortc(tmp_path: Path) -> AsyncIterator[AiortcPeer]:
    """A caller whose channel ``chat`` has been greeted."""
    with trio.fail_after(PROCESS_PATIENCE):
        async with open_test_gateway(tmp_path) as gateway, open_aiortc(SPEECH) as peer:
            await peer.do("open", label="chat")
            grant = await create_session(gateway.url, {"campaignId": "echo"})
            async with open_client_signaling(grant.websocket_url) as signaling:
                await negotiate(peer, signaling)
                assert await receive(peer, "chat", 1) == [GREETING]
                yield peer


async def negotiate(peer: AiortcPeer, signaling: ClientSignaling) -> None:
    signaling.send(Offer((await peer.do("offer"))["sdp"]))
    while not isinstance(message := await signaling.receive(), Answer):
        assert not isinstance(message, Error)
    await peer.do("accept", sdp=message.sdp)


async def receive(peer: AiortcPeer, label: str, count: int) -> list[dict[str, str]]:
    messages: list[dict[str, str]] = (await peer.do("receive", label=label, count=count))["messages"]
    return messages


async def echo(peer: AiortcPeer, label: str, messages: list[dict[str, str]]) -> list[dict[str, str]]:
    await peer.do("send", label=label, messages=messages)
    return await receive(peer, label, len(messages))


async def test_text_and_bytes_of_any_size_and_a_thousand_messages_come_back_in_order(aiortc: AiortcPeer) -> None:
    for size in SIZES:
        noise = base64.b64encode(random.Random(size).randbytes(size)).decode()
        messages = [{"bytes": noise}, {"text": noise[:size]}]
        assert await echo(aiortc, "chat", messages) == messages
    empty = [{"text": ""}, {"bytes": ""}, {"text": "after"}]
    assert await echo(aiortc, "chat", empty) == empty
    many = [{"text": f"message {index}"} for index in range(1000)]
    assert await echo(aiortc, "chat", many) == many


async def test_later_channels_of_any_kind_are_greeted_and_echo(aiortc: AiortcPeer) -> None:
    kinds: list[dict[str, Any]] = [{"ordered": False}, {"maxRetransmits": 0}, {"maxPacketLifeTime": 500}]
    for number, options in enumerate(kinds):
        label = f"later {number}"
        await aiortc.do("open", label=label, **options)
        assert await receive(aiortc, label, 1) == [GREETING]
        messages = [{"text": f"message {index}"} for index in range(10)]
        received = await echo(aiortc, label, messages)
        assert sorted(message["text"] for message in received) == [message["text"] for message in messages]


async def test_fifty_channels_are_kept_apart(aiortc: AiortcPeer) -> None:
    labels = [f"number {index}" for index in range(50)]
    for label in labels:
        await aiortc.do("open", label=label)
    for label in labels:
        assert await receive(aiortc, label, 1) == [GREETING]
        assert await echo(aiortc, label, [{"text": label}]) == [{"text": label}]


async def test_a_closed_channel_leaves_the_others_and_may_be_opened_again(aiortc: AiortcPeer) -> None:
    for _ in range(3):
        await aiortc.do("open", label="again")
        assert await receive(aiortc, "again", 1) == [GREETING]
        await aiortc.do("shut", label="again")
    assert await echo(aiortc, "chat", [{"text": "still here"}]) == [{"text": "still here"}]


async def test_a_channel_may_be_added_by_a_second_offer(tmp_path: Path) -> None:
    with trio.fail_after(PROCESS_PATIENCE):
        async with open_test_gateway(tmp_path) as gateway, open_aiortc(SPEECH) as peer:
            grant = await create_session(gateway.url, {"campaignId": "echo"})
            async with open_client_signaling(grant.websocket_url) as signaling:
                await negotiate(peer, signaling)
                while await signaling.receive() != CONNECTED:
                    pass
                await peer.do("open", label="late")
                await negotiate(peer, signaling)
                assert await receive(peer, "late", 1) == [GREETING]
                assert await echo(peer, "late", [{"text": "hello"}]) == [{"text": "hello"}]
