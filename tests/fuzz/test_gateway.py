"""A whole gateway under mutated input: its other calls go on, and nothing is logged as an error."""

import json
import logging
import random
from collections.abc import AsyncIterator, Sequence
from functools import partial
from pathlib import Path

import pytest
import trio
from glottis.rtp import SrtpSession
from glottis.rtp.srtp import MAX_SSRCS
from glottis.signaling.messages import Answer, Bye, Error
from support.http import request
from support.phone import Exchange, Phone, Socket, eventually
from support.plugins import TestPlugin, open_exchange_with

pytestmark = pytest.mark.realtime

VECTORS = Path(__file__).parents[1] / "vectors"
OFFERS = [file.read_text() for file in sorted((VECTORS / "sdp").glob("*_offer.sdp"))]
CANDIDATES = [json.loads(file.read_text()) for file in sorted((VECTORS / "sdp").glob("*_candidates.json"))]


@pytest.fixture
async def exchange(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Exchange]:
    async with open_exchange_with(tmp_path, TestPlugin(), "resume_grace = 0") as exchange:
        bystander = await exchange.call()
        await bystander.hear()
        yield exchange
        await bystander.hear()
        assert bystander.socket.closed is None
        assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def mutated(data: bytes, rng: random.Random) -> bytes:
    """The data with a few bytes changed, cut out, doubled or put in."""
    result = bytearray(data)
    for _ in range(rng.randrange(1, 5)):
        position = rng.randrange(len(result) + 1)
        match rng.randrange(4):
            case 0 if position < len(result):
                result[position] = rng.randrange(256)
            case 1:
                del result[position : position + rng.randrange(1, 9)]
            case 2:
                result[position:position] = result[position : position + rng.randrange(1, 40)]
            case _:
                result[position:position] = rng.randbytes(rng.randrange(1, 5))
    return bytes(result[:1400])


def mutated_lines(text: str, rng: random.Random) -> str:
    """The text with lines dropped, doubled, swapped or mutated."""
    lines = text.splitlines()
    for _ in range(rng.randrange(1, 6)):
        index = rng.randrange(len(lines))
        match rng.randrange(4):
            case 0:
                del lines[index]
            case 1:
                lines.insert(rng.randrange(len(lines)), lines[index])
            case 2:
                other = rng.randrange(len(lines))
                lines[index], lines[other] = lines[other], lines[index]
            case _:
                lines[index] = mutated(lines[index].encode(), rng).decode(errors="replace")
    return "\r\n".join(lines) + "\r\n"


async def send_to_new_sessions(exchange: Exchange, messages: Sequence[str | bytes], per_session: int) -> None:
    """Send them in pieces, each to a session of its own, and hang up."""
    for start in range(0, len(messages), per_session):
        phone = exchange.phone()
        await phone.create()
        socket = await phone.open_socket()
        for message in messages[start : start + per_session]:
            await socket.send(message)
        await socket.send(Bye())
        await phone.wait_closed()
        phone.hang_down()
    await eventually(lambda: len(exchange.gateway.sessions) == 1)


async def test_mutated_offers_are_answered_or_refused(exchange: Exchange) -> None:
    rng = random.Random(1)
    offers = [json.dumps({"type": "offer", "sdp": mutated_lines(rng.choice(OFFERS), rng)}) for _ in range(150)]
    await send_to_new_sessions(exchange, offers, per_session=5)


def has_reply(socket: Socket) -> bool:
    return bool(socket.of_type(Answer) or socket.of_type(Error))


async def test_every_mutated_offer_gets_a_reply(exchange: Exchange) -> None:
    rng = random.Random(2)
    for _ in range(20):
        phone = exchange.phone()
        await phone.create()
        socket = await phone.open_socket()
        await socket.send(json.dumps({"type": "offer", "sdp": mutated_lines(rng.choice(OFFERS), rng)}))
        await eventually(partial(has_reply, socket))
        await phone.hang_up()


async def test_mutated_signaling_messages_end_nothing_but_their_own_socket(exchange: Exchange) -> None:
    rng = random.Random(3)
    seeds = [
        json.dumps({"type": "offer", "sdp": OFFERS[0]}),
        *(json.dumps({"type": "candidate", "candidate": one}) for listed in CANDIDATES for one in listed[:2]),
        json.dumps({"type": "text", "text": "hello"}),
        json.dumps({"type": "text", "text": '{"type":"metadata","userId":"7"}'}),
        json.dumps({"type": "bye", "reason": "x"}),
    ]
    messages: list[str | bytes] = []
    for _ in range(400):
        data = mutated(rng.choice(seeds).encode(), rng)
        messages.append(data if rng.random() < 0.1 else data.decode(errors="replace"))
    await send_to_new_sessions(exchange, messages, per_session=20)


async def test_mutated_requests_get_an_answer(exchange: Exchange) -> None:
    rng = random.Random(4)
    seed = json.dumps(
        {
            "businessId": 1,
            "campaignId": "echo",
            "transportType": "WebRTC",
            "clientIdentifier": "user-1",
            "metadata": {"k": "v"},
            "audioConfig": {"input": {"codec": "OPUS", "sampleRate": 48000}, "output": {"frameDurationMs": 20}},
        }
    ).encode()
    for _ in range(200):
        body = mutated(seed, rng)
        path = "/api/websession/initiate"
        reply = await request(exchange.gateway, "POST", path, body, content_type="application/json")
        assert reply.status in (200, 400, 404)
        if reply.status != 200:
            assert reply.document["code"]
    for session in list(exchange.gateway.sessions)[1:]:
        session.end("enough")


CORPORA = ["stun", "dtls", "rtp", "rtcp", "sctp"]


@pytest.mark.parametrize("protocol", CORPORA)
async def test_mutated_datagrams_from_the_callers_own_address_end_nothing_else(
    protocol: str, exchange: Exchange
) -> None:
    rng = random.Random(5)
    corpus = [file.read_bytes() for file in sorted((VECTORS / protocol).rglob("*.bin"))]
    phone = await exchange.call()
    for index in range(500):
        phone.send_raw(mutated(rng.choice(corpus), rng))
        if index % 50 == 0:
            await trio.lowlevel.checkpoint()
    await phone.hear()
    assert phone.socket.closed is None


@pytest.mark.parametrize("protocol", ["rtp", "rtcp", "sctp"])
async def test_mutated_packets_under_the_callers_own_keys_end_nothing_else(protocol: str, exchange: Exchange) -> None:
    rng = random.Random(6)
    corpus = [file.read_bytes() for file in sorted((VECTORS / protocol).rglob("*.bin"))]
    phone = await exchange.call()
    await phone.hear()  # the phone's own SSRC has its place
    for index in range(500):
        send_authentic(phone, protocol, from_few_sources(protocol, mutated(rng.choice(corpus), rng)[:1100], index))
        if index % 50 == 0:
            await trio.lowlevel.checkpoint()
    assert (await request(exchange.gateway, "GET", "/healthz")).status == 200
    await phone.hear()
    assert phone.socket.closed is None


def from_few_sources(protocol: str, data: bytes, index: int) -> bytes:
    """With one of half as many SSRCs as have places: its own would give way, for good, if it is silent meanwhile."""
    if protocol == "sctp":
        return data
    place = 8 if protocol == "rtp" else 4
    return data[:place] + (index % (MAX_SSRCS // 2)).to_bytes(4) + data[place + 4 :]


def send_authentic(phone: Phone, protocol: str, data: bytes) -> None:
    """As its owner would send it, if libsrtp lets him."""
    session, transport = phone.peer.voice.session, phone.peer.transport.dtls
    assert isinstance(session.protection, SrtpSession)
    if protocol == "sctp":
        if data:
            transport.send(data)
            phone.driver.pump()
        return
    protect = session.protection.protect if protocol == "rtp" else session.protection.protect_rtcp
    try:
        phone.send_raw(protect(data))
    except Exception:
        return
