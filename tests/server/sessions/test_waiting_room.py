"""The queue before a gateway that has no room."""

import json
from pathlib import Path

import pytest
import trio
from glottis.server.sessions.waiting_room import PATIENCE, TRYING, WaitingRoom
from glottis.server.sessions.whole import Alone
from support.conversation import Clock
from support.gateway import CONFIG
from support.http import Reply, request
from support.memory import open_memory_exchange
from support.phone import Exchange, eventually


def make_room(places: int) -> WaitingRoom:
    return WaitingRoom(places, Alone().new_session_id)


def ticket_of(room: WaitingRoom, client: str, now: float = 0.0) -> str:
    waiting = room.wait("", client, now)
    assert waiting is not None
    return waiting.ticket


def place_of(room: WaitingRoom, ticket: str, now: float) -> int:
    waiting = room.wait(ticket, "192.0.2.99", now)
    assert waiting is not None
    assert waiting.ticket == ticket
    return waiting.place


def test_who_has_come_first_may_try_first() -> None:
    room = make_room(100)
    assert room.may_try("", 0, 0.0)
    tickets = [ticket_of(room, f"192.0.2.{number}") for number in range(TRYING + 2)]
    assert [room.may_try(ticket, 0, 1.0) for ticket in tickets] == [True] * TRYING + [False, False]
    assert not room.may_try("", 0, 1.0)
    assert not room.may_try("invented", 0, 1.0)
    room.leave(tickets[0])
    assert [place_of(room, ticket, 2.0) for ticket in tickets[1:]] == list(range(1, TRYING + 2))
    assert room.may_try(tickets[TRYING], 0, 2.0)


def test_a_newcomer_may_try_where_there_is_room_for_more_than_wait() -> None:
    room = make_room(100)
    tickets = [ticket_of(room, f"192.0.2.{number}") for number in range(TRYING + 2)]
    assert [room.may_try("", free, 1.0) for free in (0, TRYING + 2, TRYING + 3)] == [False, False, True]
    assert [room.may_try(ticket, TRYING + 1, 1.0) for ticket in tickets] == [True] * (TRYING + 1) + [False]


def test_who_does_not_ask_loses_the_place() -> None:
    room = make_room(100)
    gone, patient = (ticket_of(room, f"192.0.2.{number}") for number in range(2))
    assert place_of(room, patient, PATIENCE) == 2
    assert place_of(room, patient, PATIENCE + 1) == 1
    waiting = room.wait(gone, "192.0.2.1", PATIENCE + 1)
    assert waiting is not None
    assert waiting.ticket != gone
    assert waiting.place == 2


def test_who_asks_again_at_once_has_not_waited() -> None:
    room = make_room(100)
    ticket = ticket_of(room, "192.0.2.1", 10.0)
    assert [room.is_due(ticket, now) for now in (10.1, 12.0, 10.0 + PATIENCE + 1)] == [False, True, False]
    assert not room.is_due("", 12.0)


@pytest.mark.parametrize(("places", "share"), [(8, 2), (1, 1), (0, 0)])
def test_places_are_shared_among_client_addresses(places: int, share: int) -> None:
    room = make_room(places)
    got = [room.wait("", "2001:db8::1", 0.0) is not None for _ in range(places + 1)]
    assert sum(got) == share
    others = [room.wait("", f"192.0.2.{number}", 0.0) is not None for number in range(places)]
    assert sum(others) == places - share
    assert len(room) == places


# As clients see it

ONE_CALL = CONFIG.replace("port = 0", "port = 0\nmax_sessions = 1\nqueue = 8").replace(
    "max_sessions_per_minute = 100000", "max_sessions_per_minute = 6"
)


async def ask(exchange: Exchange, ticket: str = "", campaign: str = "echo") -> Reply:
    path = f"/api/websession/initiate?ticket={ticket}"
    body = json.dumps({"campaignId": campaign}).encode()
    connect = exchange.network.connect
    return await request(exchange.gateway, "POST", path, body, connect=connect, content_type="application/json")


async def test_who_finds_no_room_waits_and_is_served_in_turn(tmp_path: Path, autojump_clock: Clock) -> None:
    async with open_memory_exchange(tmp_path, ONE_CALL) as exchange:
        phone = await exchange.call()
        first = await ask(exchange)
        assert (first.status, first.headers["retry-after"]) == (202, "2")
        ticket = first.document["ticket"]
        assert first.document == {"ticket": ticket, "place": 1, "retryAfterSeconds": 2}
        second = (await ask(exchange)).document
        assert second["place"] == 2
        for _ in range(20):  # far more often than a client may ask for sessions
            await trio.sleep(2)
            assert (await ask(exchange, ticket)).document["place"] == 1
            assert (await ask(exchange, second["ticket"])).document["place"] == 2
        await phone.hang_up()
        await eventually(lambda: not exchange.gateway.sessions.running)
        newcomer = await ask(exchange)
        assert (newcomer.status, newcomer.document["code"]) == (503, "FULL")  # this address has its share of places
        served = await ask(exchange, ticket)
        assert served.status == 200
        assert served.document["websocketUrl"]
        assert (await ask(exchange, second["ticket"])).document["place"] == 1


async def test_those_who_wait_for_a_full_campaign_keep_nobody_from_another(
    tmp_path: Path, autojump_clock: Clock
) -> None:
    few = '\n[campaigns.few]\nagent = "echo"\nmax_sessions = 1\n'
    async with open_memory_exchange(
        tmp_path, ONE_CALL.replace("max_sessions = 1", "max_sessions = 5") + few
    ) as exchange:
        assert [(await ask(exchange, campaign="few")).status for _ in range(3)] == [200, 202, 202]
        assert [(await ask(exchange)).status for _ in range(3)] == [200, 200, 503]  # two places are theirs who wait


async def test_who_asks_without_waiting_is_limited_as_ever(tmp_path: Path, autojump_clock: Clock) -> None:
    async with open_memory_exchange(tmp_path, ONE_CALL) as exchange:
        await exchange.call()
        ticket = (await ask(exchange)).document["ticket"]
        statuses = [(await ask(exchange, ticket)).status for _ in range(10)]
        assert statuses == [202] * 4 + [429] * 6


async def test_what_does_not_pass_is_not_waited_for(tmp_path: Path, autojump_clock: Clock) -> None:
    async with open_memory_exchange(tmp_path, ONE_CALL) as exchange:
        assert (await exchange.post("unknown")).status == 404
        exchange.gateway.sessions.drain()
        reply = await ask(exchange)
        assert (reply.status, reply.document["code"]) == (503, "DRAINING")
        assert json.loads(reply.body)["status"] == 503
