"""What a worker asks its parent of who comes in, who waits, and what was."""

import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio
from glottis.contracts.info import CallInfo, Principal
from glottis.server.fleet.channel import Channel, close_all
from glottis.server.fleet.member import Member
from glottis.server.fleet.messages import (
    MAX_COUNT,
    Claim,
    Done,
    FromParent,
    FromWorker,
    Granted,
    HandOver,
    Queue,
    Queued,
    Rate,
    Recall,
    Recalled,
    Wait,
    encode,
    parse_from_worker_untrusted,
)
from glottis.server.fleet.session_ids import new_session_id
from glottis.server.http.entry import Entry
from glottis.server.http.message import Request
from glottis.server.sessions.waiting_room import Waiting
from glottis.signaling.session_request import INITIATE_PATH
from msgspec.structs import replace
from support.gateway import resolve_test_config

ASKS = Request("POST", INITIATE_PATH, {"ticket": "t" * 22}, client_host="192.0.2.1")


async def heard(channel: Channel) -> FromWorker:
    """What the worker says next."""
    received = await channel.receive_untrusted()
    assert received is not None
    close_all(received[1])
    return parse_from_worker_untrusted(received[0])


async def answered(
    channel: Channel, ask: Callable[[], Awaitable[object]], answer: FromParent
) -> tuple[FromWorker, object]:
    """The question, and what the worker makes of the answer."""
    results: list[object] = []

    async def note() -> None:
        results.append(await ask())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(note)
        question = await heard(channel)
        channel.send(encode(answer))
    return question, results[0]


async def test_what_came_with_a_request_is_not_asked_for(parent: tuple[Member, Channel]) -> None:
    member, channel = parent
    entry = Entry(may_try=False)
    assert await member.enter(replace(ASKS, entry=entry)) is entry
    question, found = await answered(channel, lambda: member.enter(ASKS), Wait(1, 2.5))
    assert question == Rate(1, "sessions", "192.0.2.1")
    assert found == Entry(2.5)


@pytest.mark.parametrize(("answer", "place"), [(Queued(1, "new", 3), Waiting("new", 3)), (Queued(1, "", 0), None)])
async def test_who_waits_has_the_place_that_the_parent_gives(
    parent: tuple[Member, Channel], answer: Queued, place: Waiting | None
) -> None:
    member, channel = parent
    assert await answered(channel, lambda: member.wait("old", "192.0.2.1"), answer) == (
        Queue(1, "old", "192.0.2.1"),
        place,
    )


async def test_what_was_is_asked_of_the_parent_where_the_worker_is_another(parent: tuple[Member, Channel]) -> None:
    member, channel = parent
    session_id = new_session_id(3)
    for answer, past in ((Recalled(1, "somebody", b"It has ended."), ("somebody", "It has ended.")), (Done(2), None)):
        question, found = await answered(channel, lambda: member.recall(session_id), answer)
        assert isinstance(question, Recall)
        assert question.session_id == session_id
        assert found == past
    assert await member.recall("never") is None


@pytest.mark.parametrize(
    ("entry", "ticket", "told"),
    [
        (None, "t" * 22, HandOver(0, b"POST", "192.0.2.1", "t" * 22)),
        (None, "t" * 65, HandOver(0, b"POST", "192.0.2.1")),
        (None, "\udcff", HandOver(0, b"POST", "192.0.2.1")),
        (Entry(tried=(1, 2)), "", HandOver(0, b"POST", "192.0.2.1", tried=(1, 2, 0))),
    ],
    ids=["a ticket", "too long for one", "no text", "passed on"],
)
async def test_a_request_is_handed_over_with_who_asks_and_who_has_had_no_room(
    parent: tuple[Member, Channel], entry: Entry | None, ticket: str, told: HandOver
) -> None:
    member, channel = parent
    with socket.socket() as connection:
        assert member.hand_over(replace(ASKS, query={"ticket": ticket}, entry=entry), connection.fileno(), b"POST", "")
    assert await heard(channel) == told


@pytest.mark.parametrize(("most", "told"), [(None, None), (3, 3), (10**12, MAX_COUNT)])
async def test_credentials_for_any_number_of_sessions_can_be_told(
    parent: tuple[Member, Channel], tmp_path: Path, most: int | None, told: int | None
) -> None:
    member, channel = parent
    campaign = resolve_test_config(tmp_path).campaigns["echo"]
    info = CallInfo("1-a", "echo", principal=Principal("somebody", max_sessions=most))
    question, _ = await answered(channel, lambda: member.claim(info, campaign), Granted(1))
    assert isinstance(question, Claim)
    assert question.most_of_principal == told
