"""A client has a share of the sessions, by its address."""

import time
from pathlib import Path

import pytest
import trio
import trio.testing
from glottis import AuthRequest, Principal
from glottis.config import Campaign, CampaignAgent, Elsewhere
from glottis.plugins import Plugin
from glottis.server.sessions.admission import TooManySessions
from glottis.server.sessions.shares import SessionShares
from glottis.server.sessions.states import SessionState
from glottis.server.sessions.tokens import TokenDesk
from support.gateway import CONFIG
from support.memory import open_memory_exchange, open_memory_exchange_with
from support.phone import RATE, eventually
from support.plugins import TestPlugin

Clock = trio.testing.MockClock


class Info:
    def __init__(self, client_host: str, principal: Principal) -> None:
        self.client_host = client_host
        self.principal = principal
        self.campaign_id = CAMPAIGN.id


class Waiting:
    """What the shares see of a session."""

    def __init__(self, client_host: str, principal: Principal) -> None:
        self.info = Info(client_host, principal)
        self.state = SessionState.CREATED


ANYBODY = Principal("anybody")
CAMPAIGN = Campaign("echo", CampaignAgent(Elsewhere("echo"), "echo", Plugin("test", "test", "0")), RATE)


def add(
    shares: SessionShares,
    client_host: str,
    state: SessionState = SessionState.ACTIVE,
    principal: Principal = ANYBODY,
) -> Waiting:
    shares.check(CAMPAIGN, client_host, principal)
    session = Waiting(client_host, principal)
    session.state = state
    shares.add(session)  # type: ignore[arg-type]
    return session


def test_a_client_has_a_share_whatever_others_have() -> None:
    shares = SessionShares(3, 3)
    first, *_ = [add(shares, "192.0.2.1") for _ in range(3)]
    with pytest.raises(TooManySessions, match="end some"):
        shares.check(CAMPAIGN, "192.0.2.1", ANYBODY)
    add(shares, "192.0.2.2")
    shares.remove(first)  # type: ignore[arg-type]
    add(shares, "192.0.2.1")


def test_an_ipv6_network_has_one_share() -> None:
    shares = SessionShares(2, 2)
    add(shares, "2001:db8::1")
    add(shares, "2001:db8::2")
    with pytest.raises(TooManySessions):
        shares.check(CAMPAIGN, "2001:db8::3", ANYBODY)
    shares.check(CAMPAIGN, "2001:db8:0:1::3", ANYBODY)


def test_sessions_that_nobody_connects_to_are_bounded_by_themselves() -> None:
    shares = SessionShares(10, 2)
    waiting = [add(shares, "192.0.2.1", SessionState.CREATED) for _ in range(2)]
    with pytest.raises(TooManySessions, match="nobody has connected to"):
        shares.check(CAMPAIGN, "192.0.2.1", ANYBODY)
    waiting[0].state = SessionState.CONNECTING
    shares.check(CAMPAIGN, "192.0.2.1", ANYBODY)


def test_a_principal_has_as_many_as_it_may_wherever_they_come_from() -> None:
    shares = SessionShares(10, 10)
    ada = Principal("ada", max_sessions=2)
    first, _ = [add(shares, f"192.0.2.{number}", principal=ada) for number in range(2)]
    with pytest.raises(TooManySessions, match="good for so many sessions at a time: 2"):
        shares.check(CAMPAIGN, "192.0.2.3", ada)
    shares.check(CAMPAIGN, "192.0.2.3", ANYBODY)
    shares.check(CAMPAIGN, "192.0.2.3", Principal("ada", max_sessions=3))
    shares.remove(first)  # type: ignore[arg-type]
    shares.check(CAMPAIGN, "192.0.2.3", ada)
    with pytest.raises(TooManySessions):
        shares.check(CAMPAIGN, "192.0.2.3", Principal("bob", max_sessions=0))


async def test_who_has_its_share_is_refused_until_a_call_has_ended(tmp_path: Path, autojump_clock: Clock) -> None:
    config = CONFIG.replace("port = 0", "port = 0\nmax_sessions_per_client = 2")
    async with open_memory_exchange(tmp_path, config) as exchange:
        phone = await exchange.call()
        await exchange.call()
        reply = await exchange.post()
        assert (reply.status, reply.document["code"]) == (429, "TOO_MANY_SESSIONS")
        assert reply.document["detail"].startswith("Your address has as many sessions as it may; end some")
        assert reply.headers["retry-after"] == "10"
        await phone.hang_up()
        await eventually(lambda: len(exchange.gateway.sessions) == 1)
        assert (await exchange.post()).status == 200


async def test_who_leaves_sessions_waiting_gets_no_more_of_them(tmp_path: Path, autojump_clock: Clock) -> None:
    config = CONFIG.replace("max_sessions_per_minute = 100000", "max_sessions_per_minute = 2")
    async with open_memory_exchange(tmp_path, config) as exchange:
        assert [(await exchange.post()).status for _ in range(2)] == [200, 200]
        assert (await exchange.post()).document["code"] == "RATE_LIMITED"
        await trio.sleep(120)
        assert (await exchange.post()).document["code"] == "TOO_MANY_SESSIONS"
        await trio.sleep(300)
        assert (await exchange.post()).status == 200


async def test_a_call_can_be_resumed_after_days(tmp_path: Path, autojump_clock: Clock) -> None:
    days = 0
    tokens = TokenDesk(clock=lambda: time.monotonic() + days * 86_400)
    async with open_memory_exchange(tmp_path, tokens=tokens) as exchange:
        phone = await exchange.call()
        [resume] = phone.socket.events("resume")
        days = 30
        phone.socket.cut()
        again = await phone.open_socket(resume["websocketUrl"])
        await eventually(lambda: again.events("resume"))
        assert again.closed is None


class OneCall:
    """An auth scheme whose only principal has one call at a time."""

    async def authenticate(self, request: AuthRequest) -> Principal | None:
        return Principal("ada", max_sessions=1)


async def test_a_principal_with_one_call_gets_another_when_that_has_ended(
    tmp_path: Path, autojump_clock: Clock
) -> None:
    async with open_memory_exchange_with(tmp_path, TestPlugin(auth_scheme=OneCall())) as exchange:
        phone = await exchange.call()
        reply = await exchange.post()
        assert (reply.status, reply.document["code"]) == (429, "TOO_MANY_SESSIONS")
        assert reply.document["detail"].startswith("Your credentials are good for so many sessions at a time: 1")
        await phone.hang_up()
        await eventually(lambda: not exchange.gateway.sessions.running)
        assert (await exchange.post()).status == 200
