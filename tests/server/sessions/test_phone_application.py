"""What applications on phones do to a real gateway on loopback: they trickle as they please, and change networks."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
import trio.testing
from glottis.signaling.messages import Answer, ClientMessage, Error, Offer, Text, TrickledCandidate
from msgspec.structs import replace
from support.memory import open_memory_exchange
from support.phone import CONNECTED, Exchange, Phone, eventually

Clock = trio.testing.MockClock
END = TrickledCandidate("")


@pytest.fixture
async def exchange(tmp_path: Path) -> AsyncIterator[Exchange]:
    async with open_memory_exchange(tmp_path) as exchange:
        yield exchange


async def describe(phone: Phone) -> tuple[Offer, TrickledCandidate]:
    """Bring the phone to its WebSocket; returns its offer without candidates, and the candidate as browsers send it."""
    await phone.create()
    await phone.open_socket()
    lines = phone.peer.make_offer().splitlines(keepends=True)
    phone.driver.pump()
    (candidate,) = [line[2:].partition(" ufrag ")[0].strip() for line in lines if line.startswith("a=candidate:")]
    bare = "".join(line for line in lines if "candidate" not in line)
    return Offer(bare), TrickledCandidate(candidate, "0", 0, phone.peer.local_ufrags[0])


async def send(phone: Phone, messages: Sequence[ClientMessage]) -> None:
    for message in messages:
        await phone.socket.send(message)


async def talk(phone: Phone) -> None:
    await eventually(lambda: CONNECTED in phone.events)
    await phone.hear()
    assert phone.socket.of_type(Error) == []


async def test_a_caller_that_names_no_candidate_is_known_by_its_checks(
    exchange: Exchange, autojump_clock: trio.testing.MockClock
) -> None:
    phone = exchange.phone()
    offer, _ = await describe(phone)
    await send(phone, [offer])
    await phone.take_answer()
    await talk(phone)


@pytest.mark.parametrize("order", ["before the offer", "after the answer", "after the end", "among older ones"])
async def test_a_candidate_is_used_whenever_it_comes(
    order: str, exchange: Exchange, autojump_clock: trio.testing.MockClock
) -> None:
    """The phone is an ICE-lite agent and sends no checks: its candidate is all that the gateway can go by."""
    phone = exchange.phone(ice_lite=True)
    offer, candidate = await describe(phone)
    older = replace(candidate, candidate=candidate.candidate.replace("127.0.0.1", "127.0.0.2"), username_fragment="old")
    orders: dict[str, tuple[list[ClientMessage], list[ClientMessage]]] = {
        "before the offer": ([candidate, END, offer], []),
        "after the answer": ([offer], [candidate, END]),
        "after the end": ([offer, END], [END, candidate]),
        "among older ones": ([older, offer], [older, candidate, older, END]),
    }
    before, after = orders[order]
    await send(phone, before)
    await phone.take_answer()
    await eventually(lambda: phone.socket.events("connection"))
    await send(phone, after)
    await talk(phone)


async def test_a_call_outlasts_its_socket_and_the_next_one_takes_offers_and_texts(
    exchange: Exchange, autojump_clock: trio.testing.MockClock
) -> None:
    phone = await exchange.call()
    for version in (1, 2):
        phone.socket.cut()
        await phone.hear(10)
        await phone.open_socket(phone.socket.events("resume")[-1]["websocketUrl"])
        await send(phone, [Offer(phone.offer.replace(" 0 IN IP4", f" {version} IN IP4", 1)), Text("hello")])
        await eventually(lambda: phone.socket.of_type(Answer) and phone.socket.of_type(Text))
        await phone.hear()
    await phone.hang_up()
    assert len(exchange.gateway.sessions) == 0
