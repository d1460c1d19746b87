"""Calls by a TURN server, on virtual time: its server is a test double of coturn."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from glottis import CallInfo, IceServer
from glottis.media.relays import MAX_RELAYS
from glottis.signaling.messages import Answer, Offer, TrickledCandidate
from glottis.wire.address import Address
from support.memory import MEDIA, MemoryNetwork, open_memory_exchange
from support.memory_turn import MemoryTurnServer
from support.phone import Exchange, Phone, eventually
from support.plugins import TestPlugin
from support.turn_server import ALLOCATE, TurnServer

SERVER, LENT = Address("203.0.113.1", 3478), "203.0.113.2"
TURN = IceServer(("turn:203.0.113.1",), "user", "secret")

CAMPAIGN = """
[campaigns.private]
agent = "echo"
ice_policy = "relay"
"""


class Provider:
    def __init__(self, servers: Sequence[IceServer]) -> None:
        self.servers = list(servers)

    async def get_ice_servers(self, call_info: CallInfo) -> list[IceServer]:
        return self.servers


class Scene:
    def __init__(self, exchange: Exchange) -> None:
        assert isinstance(exchange.network, MemoryNetwork)
        self.exchange = exchange
        self.network = exchange.network
        self.server = TurnServer(SERVER, LENT)

    def begin(self) -> None:
        """The server is there."""
        MemoryTurnServer(self.network, self.server)

    def end(self) -> None:
        self.network.hide(SERVER)

    async def answer(self, campaign: str = "echo", **wishes: str) -> tuple[Phone, str]:
        phone = self.exchange.phone()
        await phone.create(campaign, **wishes)
        await phone.open_socket()
        await phone.send_offer()
        await phone.take_answer()
        return phone, phone.socket.of_type(Answer)[0].sdp


@asynccontextmanager
async def open_scene(
    folder: Path, *servers: IceServer, media: str = 'ice_policy = "relay"', begun: bool = True
) -> AsyncIterator[Scene]:
    plugin = TestPlugin(ice_servers=Provider(servers or [TURN]))
    config = plugin.config() + f"\n[media]\n{media}\n" + CAMPAIGN
    async with open_memory_exchange(folder, config, [plugin]) as exchange:
        scene = Scene(exchange)
        if begun:
            scene.begin()
            await trio.sleep(2)
        yield scene


@pytest.mark.slow
async def test_call_goes_by_the_relay_alone(tmp_path: Path, autojump_clock: trio.abc.Clock) -> None:
    async with open_scene(tmp_path) as scene:
        phone = await scene.exchange.call()
        [answer] = phone.socket.of_type(Answer)
        assert answer.sdp.count("a=candidate:") == 1
        assert f" {LENT} 49152 typ relay raddr 0.0.0.0 rport 0" in answer.sdp
        assert MEDIA.host not in answer.sdp
        await phone.hear()
        assert scene.server.relayed.total() > 10
        assert scene.server.relayed["channel"] > 0


@pytest.mark.slow
async def test_policy_can_be_a_campaigns_or_a_sessions(tmp_path: Path, autojump_clock: trio.abc.Clock) -> None:
    async with open_scene(tmp_path, media="") as scene:
        _, everybodys = await scene.answer()
        assert f"raddr {MEDIA.host} rport {MEDIA.port}" in everybodys
        assert "typ host" in everybodys
        _, campaigns = await scene.answer("private", iceTransportPolicy="all")
        _, callers = await scene.answer(iceTransportPolicy="Relay")
        for private in (campaigns, callers):
            assert "typ relay" in private
            assert "typ host" not in private


@pytest.mark.slow
async def test_relay_that_is_late_is_trickled_and_then_the_end(tmp_path: Path, autojump_clock: trio.abc.Clock) -> None:
    async with open_scene(tmp_path, begun=False) as scene:
        phone, answer = await scene.answer()
        assert "a=candidate:" not in answer
        scene.begin()
        await eventually(lambda: len(phone.socket.of_type(TrickledCandidate)) == 2)
        candidate, end = phone.socket.of_type(TrickledCandidate)
        assert f"{LENT} 49152 typ relay" in candidate.candidate
        assert end.candidate == ""
        await phone.hear()


async def test_dead_server_delays_no_call(tmp_path: Path, autojump_clock: trio.abc.Clock) -> None:
    async with open_scene(tmp_path, media="", begun=False) as scene:
        began = trio.current_time()
        phone = await scene.exchange.call()
        await phone.hear()
        assert trio.current_time() - began < 2


@pytest.mark.slow
async def test_dead_server_is_tried_again(tmp_path: Path, autojump_clock: trio.abc.Clock) -> None:
    async with open_scene(tmp_path, media="", begun=False) as scene:
        await trio.sleep(600)
        scene.begin()
        await trio.sleep(320)
        _, answer = await scene.answer()
        assert "typ relay" in answer


@pytest.mark.slow
async def test_server_that_is_lost_is_not_offered_to_new_calls(
    tmp_path: Path, autojump_clock: trio.abc.Clock, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_scene(tmp_path, media="") as scene:
        scene.end()
        await trio.sleep(1000)
        _, answer = await scene.answer()
        assert "typ relay" not in answer
        assert len([message for message in caplog.messages if "TURN server" in message]) == 1
        assert scene.exchange.gateway.endpoint.sessions == 1


async def test_call_that_begins_after_a_server_has_died_has_another_way_to_it(
    tmp_path: Path, autojump_clock: trio.abc.Clock
) -> None:
    """Long before a refresh, and the next one, have had no answer."""
    async with open_scene(tmp_path, IceServer(("turn:203.0.113.1", "turn:203.0.113.3"), "user", "secret")) as scene:
        MemoryTurnServer(scene.network, TurnServer(Address("203.0.113.3", 3478), "203.0.113.4"))
        await trio.sleep(10)
        scene.end()
        for port in range(49152, 49160):
            scene.network.hide(Address(LENT, port))
        began = trio.current_time()
        phone = await scene.exchange.call()
        await phone.hear(1)
        assert trio.current_time() - began < 10


@pytest.mark.slow
async def test_call_goes_on_by_a_new_relay_when_the_server_has_forgotten_the_old_one(
    tmp_path: Path, autojump_clock: trio.abc.Clock
) -> None:
    async with open_scene(tmp_path) as scene:
        phone = await scene.exchange.call()
        await trio.sleep(10)
        scene.server.leases.clear()  # as one that was started anew
        await go_on_by_another(phone)
        assert len(scene.exchange.gateway.sessions) == 1


async def go_on_by_another(phone: Phone) -> None:
    """What a page does when it is told that the gateway has lost its relay."""
    await eventually(lambda: "failed" in [event["state"] for event in phone.socket.events("connection")])
    await phone.socket.send(Offer(phone.peer.make_restart_offer(trio.current_time())))
    await eventually(lambda: len(phone.socket.of_type(Answer)) == 2)
    await phone.take_answer()
    await phone.hear()
    told = [each.candidate for each in phone.socket.of_type(TrickledCandidate)]
    told.append(phone.socket.of_type(Answer)[-1].sdp)
    assert any(f"{LENT} 49153 typ relay" in each for each in told)
    assert "49152" not in told[-1]


@pytest.mark.slow
async def test_call_goes_on_with_renewed_credentials_when_the_server_takes_the_old_ones_no_longer(
    tmp_path: Path, autojump_clock: trio.abc.Clock, caplog: pytest.LogCaptureFixture
) -> None:
    provider = Provider([IceServer(TURN.urls, "1000000000:caller", "secret")])
    plugin = TestPlugin(ice_servers=provider)
    config = plugin.config() + "renewal = 10\n[media]\nice_policy = 'relay'\n"
    async with open_memory_exchange(tmp_path, config, [plugin]) as exchange:
        scene = Scene(exchange)
        scene.server.username = "1000000000:caller"
        scene.begin()
        await trio.sleep(2)
        phone = await exchange.call()
        provider.servers = [IceServer(TURN.urls, "9000000000:caller", "renewed")]
        scene.server.username, scene.server.password = "9000000000:caller", "renewed"
        await go_on_by_another(phone)
    assert "the credentials have expired, at 2001-09-09 01:46:40 UTC" in caplog.text


@pytest.mark.slow
async def test_caller_that_is_first_to_look_for_another_way_spares_the_call_a_failure(
    tmp_path: Path, autojump_clock: trio.abc.Clock
) -> None:
    """A relay that is lost while ICE restarts costs its candidate only: what comes in its place is trickled."""
    async with open_scene(tmp_path) as scene:
        phone = await scene.exchange.call()
        await trio.sleep(10)
        scene.server.leases.clear()
        await phone.socket.send(Offer(phone.peer.make_restart_offer(trio.current_time())))
        await eventually(lambda: len(phone.socket.of_type(Answer)) == 2)
        await phone.take_answer()
        await eventually(lambda: phone.socket.of_type(TrickledCandidate))
        assert f"{LENT} 49153 typ relay" in phone.socket.of_type(TrickledCandidate)[0].candidate
        await phone.hear()
        states = [event["state"] for event in phone.socket.events("connection")]
        assert states[-2:] == ["connecting", "connected"]
        assert "failed" not in states
        assert phone.socket.events("interrupted") == []


async def test_dead_way_to_a_server_delays_no_other(tmp_path: Path, autojump_clock: trio.abc.Clock) -> None:
    server = IceServer(("turn:203.0.113.77", "turn:203.0.113.78", "turn:203.0.113.1"), "user", "secret")
    async with open_scene(tmp_path, server) as scene:
        assert len(scene.server.leases) == 1, "within two seconds"
        _, answer = await scene.answer()
        assert LENT in answer


async def test_first_way_to_a_server_that_lends_an_address_is_the_only_one(
    tmp_path: Path, autojump_clock: trio.abc.Clock
) -> None:
    """Another one is asked beside it, as the first is slow, and is left: what it may have lent is given back."""
    other = TurnServer(Address("203.0.113.3", 3478), "203.0.113.4")
    ways = IceServer(("turn:203.0.113.1", "turn:203.0.113.3"), "user", "secret")
    async with open_scene(tmp_path, ways, begun=False) as scene:
        MemoryTurnServer(scene.network, other)
        await trio.sleep(0.3)
        scene.begin()
        await trio.sleep(2)
        assert scene.server.requests[ALLOCATE] > 0
        assert other.requests[ALLOCATE] > 0
        leases = [*scene.server.leases.values(), *other.leases.values()]
        assert [lease.expires_at > trio.current_time() for lease in leases].count(True) == 1
        _, answer = await scene.answer()
        assert answer.count("typ relay") == 1


@pytest.mark.slow
async def test_new_credentials_are_tried_at_once(tmp_path: Path, autojump_clock: trio.abc.Clock) -> None:
    provider = Provider([IceServer(TURN.urls, "user", "outdated")])
    plugin = TestPlugin(ice_servers=provider)
    async with open_memory_exchange(tmp_path, plugin.config(), [plugin]) as exchange:
        scene = Scene(exchange)
        scene.begin()
        await trio.sleep(2000)
        _, answer = await scene.answer()
        assert "typ relay" not in answer
        provider.servers = [TURN]
        await scene.answer()
        await trio.sleep(0.1)
        _, answer = await scene.answer()
        assert "typ relay" in answer


async def test_gateway_renews_its_credentials_before_a_call_needs_them(
    tmp_path: Path, autojump_clock: trio.abc.Clock
) -> None:
    provider = Provider([TURN])
    plugin = TestPlugin(ice_servers=provider)
    async with open_memory_exchange(tmp_path, plugin.config() + "renewal = 20\n", [plugin]) as exchange:
        scene = Scene(exchange)
        scene.begin()
        await trio.sleep(2)
        provider.servers = [IceServer(TURN.urls, "user", "renewed")]
        scene.server.password = "renewed"
        scene.server.leases.clear()
        await trio.sleep(50)  # which is noticed by a refresh, after 25 s
        assert scene.server.leases
        _, answer = await scene.answer()
        assert "typ relay" in answer


async def test_servers_can_be_for_clients_alone(tmp_path: Path, autojump_clock: trio.abc.Clock) -> None:
    plugin = TestPlugin(ice_servers=Provider([TURN]))
    config = plugin.config().replace("[ice_servers]", "[ice_servers]\nfor_gateway = false")
    async with open_memory_exchange(tmp_path, config, [plugin]) as exchange:
        scene = Scene(exchange)
        scene.begin()
        await trio.sleep(2)
        _, answer = await scene.answer()
        assert "typ host" in answer
        assert "typ relay" not in answer
        assert not scene.server.leases


async def test_address_is_given_back_when_the_gateway_stops(tmp_path: Path, autojump_clock: trio.abc.Clock) -> None:
    async with open_scene(tmp_path) as scene:
        server = scene.server
        assert server.leases[MEDIA].expires_at > trio.current_time()
    assert server.leases[MEDIA].expires_at <= trio.current_time()


async def test_two_servers_at_one_address_do_not_fight_for_it(
    tmp_path: Path, autojump_clock: trio.abc.Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """A server knows one allocation for each socket: the second would release the first."""
    other = IceServer(("turn:203.0.113.1", "turn:203.0.113.1?transport=udp"), "user", "secret")
    async with open_scene(tmp_path, TURN, other) as scene:
        await trio.sleep(20)
        _, answer = await scene.answer()
        assert answer.count("typ relay") == 1
        assert scene.server.leases[MEDIA].expires_at > trio.current_time()
        assert scene.server.requests[ALLOCATE] == 2
        assert "another relay has the address" in caplog.text


async def test_servers_that_lend_nothing_make_room_for_others(tmp_path: Path, autojump_clock: trio.abc.Clock) -> None:
    dead = [IceServer((f"turn:203.0.113.{number}",), "user", "secret") for number in range(70, 70 + MAX_RELAYS)]
    provider = Provider(dead)
    plugin = TestPlugin(ice_servers=provider)
    async with open_memory_exchange(tmp_path, plugin.config(), [plugin]) as exchange:
        scene = Scene(exchange)
        scene.begin()
        await trio.sleep(10)
        provider.servers = [TURN]
        await scene.answer()
        await trio.sleep(0.1)
        _, answer = await scene.answer()
        assert "typ relay" in answer
