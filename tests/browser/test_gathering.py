"""Browsers take what a STUN server tells the gateway in the middle of a call, and the end of candidates."""

import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio
from glottis import CallInfo, IceServer
from glottis.server.gateway import Gateway
from glottis.wire.address import Address
from glottis.wire.stun import Attribute, MessageClass, build_stun, encode_xor_address, parse_stun_untrusted
from support.browser import Page
from support.gateway import open_test_gateway
from support.patience import PROCESS_PATIENCE
from support.plugins import TestPlugin

OUTSIDE = Address("127.0.0.9", 40000)


class StunServer:
    """Answers when it is told to. Test double of coturn, which would tell nothing new on loopback."""

    def __init__(self) -> None:
        self.socket = trio.socket.from_stdlib_socket(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))

    async def __aenter__(self) -> "StunServer":
        await self.socket.bind(("127.0.0.1", 0))
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self.socket.close()

    @property
    def port(self) -> int:
        port: int = self.socket.getsockname()[1]
        return port

    async def answer(self) -> None:
        request, gateway = await self.socket.recvfrom(2048)
        transaction_id = parse_stun_untrusted(request).transaction_id
        mapped = [(Attribute.XOR_MAPPED_ADDRESS, encode_xor_address(OUTSIDE, transaction_id))]
        await self.socket.sendto(build_stun(MessageClass.SUCCESS, transaction_id, mapped), gateway)


@pytest.fixture
async def stun_server() -> AsyncIterator[StunServer]:
    async with StunServer() as server:
        yield server


class Provider:
    """Gives each call the server, but not the gateway before there is one."""

    def __init__(self, server: StunServer) -> None:
        self._servers = [IceServer((f"stun:127.0.0.1:{server.port}",))]

    async def get_ice_servers(self, call_info: CallInfo) -> list[IceServer]:
        return self._servers if call_info.campaign_id else []


@pytest.fixture
async def gateway(tmp_path: Path, stun_server: StunServer) -> AsyncIterator[Gateway]:
    plugin = TestPlugin(ice_servers=Provider(stun_server))
    async with open_test_gateway(tmp_path, plugin.config(), [plugin]) as gateway:
        yield gateway
        await gateway.stop(grace=0)


async def negotiate(page: Page) -> None:
    await page.evaluate("(async () => { await call.speak(); await call.negotiate(); })()")


async def test_a_candidate_and_the_end_of_candidates_after_the_answer_are_taken(
    page: Page, stun_server: StunServer
) -> None:
    with trio.fail_after(PROCESS_PATIENCE):
        await page.evaluate("(async () => { globalThis.call = await Call.create(); })()")
        await negotiate(page)
        await stun_server.answer()
        await page.wait_for("call.messages.filter(({ type }) => type === 'candidate').length === 2")
        await page.wait_for("call.pc.connectionState === 'connected'")
        trickled = await page.evaluate("call.messages.filter(({ type }) => type === 'candidate')")
        assert f"{OUTSIDE.host} {OUTSIDE.port} typ srflx" in trickled[0]["candidate"]["candidate"]
        assert trickled[1]["candidate"]["candidate"] == ""
        assert await page.evaluate("call.errors") == []


async def test_an_answer_with_all_candidates_is_taken(page: Page, stun_server: StunServer) -> None:
    with trio.fail_after(PROCESS_PATIENCE):
        await page.evaluate("(async () => { globalThis.call = await Call.create(); })()")
        await stun_server.answer()
        await negotiate(page)
        await page.wait_for("call.pc.connectionState === 'connected'")
        answer = await page.evaluate("call.messages.find(({ type }) => type === 'answer').sdp")
        assert f"{OUTSIDE.host} {OUTSIDE.port} typ srflx" in answer
        assert "a=end-of-candidates" in answer
        assert await page.evaluate("call.errors") == []
