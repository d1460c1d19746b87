"""A gateway that asks STUN servers what others see of it: its callers are told, and none of them ever waits."""

from pathlib import Path

import pytest
import trio
from glottis import CallInfo, IceServer
from glottis.signaling.messages import Answer, TrickledCandidate
from glottis.wire.address import Address
from glottis.wire.stun import Attribute, MessageClass, build_stun, encode_xor_address, parse_stun_untrusted
from support.memory import MEDIA, MemoryNetwork, open_memory_exchange, open_memory_exchange_with
from support.phone import Exchange, eventually
from support.plugins import TestPlugin

OUTSIDE = Address("198.51.100.7", 40000)
DEAD = tuple(f"stun:203.0.113.{number}" for number in (101, 102, 103))


class StunServer:
    """Answers, once it may. Test double of coturn."""

    def __init__(self, network: MemoryNetwork) -> None:
        self.public = Address("203.0.113.1", 3478)
        self.may_answer = True
        self._network = network
        self._waiting: list[tuple[bytes, Address]] = []
        network.add(self)

    def arrive(self, data: bytes, source: Address) -> None:
        self._waiting.append((parse_stun_untrusted(data).transaction_id, source))
        if self.may_answer:
            self.answer()

    def answer(self) -> None:
        for transaction_id, source in self._waiting:
            value = [(Attribute.XOR_MAPPED_ADDRESS, encode_xor_address(source, transaction_id))]
            self._network.carry(build_stun(MessageClass.SUCCESS, transaction_id, value), self.public, source)
        self._waiting.clear()


class Servers:
    """The same for every call."""

    def __init__(self, *urls: str) -> None:
        self.servers = [IceServer(urls)]
        self.asked: list[str] = []

    async def get_ice_servers(self, call_info: CallInfo) -> list[IceServer]:
        self.asked.append(call_info.session_id)
        return self.servers


def network_of(exchange: Exchange) -> MemoryNetwork:
    assert isinstance(exchange.network, MemoryNetwork)
    return exchange.network


def behind_a_translator(exchange: Exchange) -> StunServer:
    """The gateway's own address leads nowhere: it is known as ``OUTSIDE`` only."""
    network = network_of(exchange)
    network.gateway.move_to(OUTSIDE)
    network.hide(MEDIA)
    return StunServer(network)


async def test_what_a_server_says_is_in_the_next_answer(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    servers = Servers("stun:203.0.113.1")
    async with open_memory_exchange_with(tmp_path, TestPlugin(ice_servers=servers)) as exchange:
        behind_a_translator(exchange)
        await trio.sleep(1)
        assert servers.asked == ["gateway"], "it has asked for itself, before there is any call"
        phone = await exchange.call()
        [answer] = phone.socket.of_type(Answer)
        assert f" 198.51.100.7 40000 typ srflx raddr {MEDIA.host} rport {MEDIA.port}" in answer.sdp
        assert "a=end-of-candidates" in answer.sdp
        await phone.hear()
        assert phone.socket.of_type(TrickledCandidate) == []


async def test_what_a_server_says_later_is_trickled_after_the_answer_and_then_the_end(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    servers = Servers("stun:203.0.113.1")
    async with open_memory_exchange_with(tmp_path, TestPlugin(ice_servers=servers)) as exchange:
        server = behind_a_translator(exchange)
        server.may_answer = False
        phone = exchange.phone()
        await phone.create()
        await phone.open_socket()
        await phone.send_offer()
        await phone.take_answer()
        assert "srflx" not in phone.socket.of_type(Answer)[0].sdp
        assert "end-of-candidates" not in phone.socket.of_type(Answer)[0].sdp
        server.answer()
        await eventually(lambda: len(phone.socket.of_type(TrickledCandidate)) == 2)
        candidate, end = phone.socket.of_type(TrickledCandidate)
        assert "198.51.100.7 40000 typ srflx" in candidate.candidate
        assert (end.candidate, end.sdp_mid) == ("", candidate.sdp_mid)
        assert candidate.username_fragment == end.username_fragment != None  # noqa: E711
        kinds = [type(message) for message in phone.socket.messages]
        assert kinds.index(Answer) < kinds.index(TrickledCandidate)


async def first_audio(tmp_path: Path, servers: Servers) -> tuple[float, float]:
    """Seconds from the offer to the answer, and to the first sound."""
    async with open_memory_exchange_with(tmp_path, TestPlugin(ice_servers=servers)) as exchange:
        phone = exchange.phone()
        await phone.create()
        await phone.open_socket()
        began = trio.current_time()
        await phone.send_offer()
        await phone.take_answer()
        answered = trio.current_time()
        await phone.hear(1)
        return answered - began, trio.current_time() - began


async def test_dead_servers_delay_neither_the_answer_nor_the_first_audio(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    answered, heard = await first_audio(tmp_path, Servers())
    answered_beside, heard_beside = await first_audio(tmp_path, Servers(*DEAD))
    assert answered_beside == pytest.approx(answered, abs=0.005)
    assert answered_beside < 0.02
    assert heard_beside == pytest.approx(heard, abs=0.03)  # the phases of two wheels


async def test_advertised_addresses_are_announced_instead(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    config = TestPlugin().config() + (
        '\n[media]\nadvertised_addresses = ["198.51.100.7:40000", "203.0.113.7"]\nadvertise_bound_addresses = false\n'
    )
    async with open_memory_exchange(tmp_path, config) as exchange:
        behind_a_translator(exchange)
        phone = await exchange.call()
        sdp = phone.socket.of_type(Answer)[0].sdp
        assert " 198.51.100.7 40000 typ host" in sdp
        assert f" 203.0.113.7 {MEDIA.port} typ host" in sdp
        assert MEDIA.host not in sdp.partition("a=candidate")[2]
        await phone.hear()


async def test_a_lite_gateway_asks_nobody(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    plugin = TestPlugin(ice_servers=Servers("stun:203.0.113.1"))
    async with open_memory_exchange(tmp_path, plugin.config() + "\n[media]\nice_lite = true\n", [plugin]) as exchange:
        StunServer(network_of(exchange))
        phone = await exchange.call()
        assert "srflx" not in phone.socket.of_type(Answer)[0].sdp
        await phone.hear()


@pytest.mark.slow
async def test_the_client_of_a_long_call_is_told_newer_servers_before_its_credentials_expire(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    servers = Servers("turn:turn.example")
    servers.servers = [IceServer(("turn:turn.example",), "1000", "secret")]
    plugin = TestPlugin(ice_servers=servers)
    config = plugin.config() + "renewal = 1\n"
    async with open_memory_exchange(tmp_path, config, [plugin]) as exchange:
        phone = await exchange.call()
        servers.servers = [IceServer(("turn:turn.example",), "2000", "secret")]
        await eventually(lambda: phone.socket.events("ice_servers"), 3)
        [event] = phone.socket.events("ice_servers")
        assert event == {"iceServers": [{"urls": ["turn:turn.example"], "username": "2000", "credential": "secret"}]}
        assert [who for who in servers.asked if who != "gateway"] == [phone.session_id] * 2
        servers.servers = []
        await trio.sleep(2)
        assert len(phone.socket.events("ice_servers")) == 1, "those that there were may do yet"
