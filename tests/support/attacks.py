"""What one caller, or a stranger, may send to stop the loop for all others: in memory, and against a real gateway.

Each attack takes the gateway's ``Exchange`` and returns when all is sent. Sessions that it leaves are its caller's to
end.
"""

import json
import random
import re
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractContextManager, suppress
from urllib.parse import urlsplit

import trio
from glottis.sctp import ChannelOpened, DataChannel, State
from glottis.signaling.messages import Answer, Offer, Text, TrickledCandidate
from glottis.wire.rtp import build_rtp
from glottis.wire.sctp import FIRST_FRAGMENT, UNORDERED
from glottis.wire.stun import Attribute, MessageClass, build_stun
from trio_websocket import ConnectionClosed, WebSocketConnection

from support.http import request
from support.phone import Exchange, Phone, close_at_once, eventually
from support.sctp_attacker import Forger

DATAGRAMS = 30
CONNECTIONS = 50
"""Of one attacker; several at once are worse."""
MAX_DATA = 1100
"""Bytes of an SCTP packet that fits a DTLS record."""
PATIENCE = 2.0
"""Seconds that an attacker waits for an answer."""

Attack = Callable[[Exchange], Awaitable[None]]


def _until_closed() -> AbstractContextManager[None]:
    """For writing to somebody who may have had enough."""
    return suppress(trio.BrokenResourceError, trio.ClosedResourceError)


# By data channels, as an authenticated caller


class SctpFlood(Forger):
    """Speaks for the phone's SCTP association."""

    def __init__(self, phone: Phone, channel: DataChannel) -> None:
        assert phone.peer.channels is not None
        super().__init__(phone.peer.channels.association)
        self.phone = phone
        self.channel = channel

    @classmethod
    async def begin(cls, exchange: Exchange, campaign: str = "talk") -> "SctpFlood":
        """In the middle of a call with an open data channel."""
        phone = await exchange.call(campaign)
        return cls(phone, await open_channel(phone))

    async def send(self, chunks: Iterable[bytes]) -> None:
        """In as few packets as hold them; the loop gets its turn after each."""
        packet: list[bytes] = []
        for chunk in chunks:
            if sum(map(len, packet)) + len(chunk) > MAX_DATA:
                await self._send_packet(packet)
                packet = []
            packet.append(chunk)
        await self._send_packet(packet)

    async def _send_packet(self, chunks: list[bytes]) -> None:
        if self.phone.peer.transport.is_secure:
            self.phone.peer.transport.dtls.send(self.packet(*chunks))
            self.phone.driver.pump()
        await trio.lowlevel.checkpoint()


async def open_channel(phone: Phone) -> DataChannel:
    """A data channel that is open."""
    channels = phone.peer.channels
    assert channels is not None
    await eventually(lambda: channels.association.state is State.ESTABLISHED)
    channel = channels.open("flood")
    phone.driver.pump()
    await eventually(lambda: ChannelOpened(channel) in phone.events)
    return channel


async def reset_all_streams(exchange: Exchange) -> None:
    """RE-CONFIG of "all streams", 50 in each packet."""
    flood = await SctpFlood.begin(exchange)
    await flood.send(flood.reset(number) for number in range(50 * DATAGRAMS))


async def skip_streams(exchange: Exchange) -> None:
    """FORWARD TSN with as many streams as fit, while 8,000 messages wait for one that does not come."""
    flood = await SctpFlood.begin(exchange)
    held = 8000
    await flood.send(flood.data(1 + number, stream=number % 270, sequence=1 + number // 270) for number in range(held))
    await flood.send([flood.forward_tsn(-1, *[(stream, 0) for stream in range(260)])] * DATAGRAMS)


async def leave_messages_unfinished(exchange: Exchange) -> None:
    """First fragments of unordered messages, 1 byte each, none of which gets a second one."""
    flood = await SctpFlood.begin(exchange)
    await flood.send(flood.data(2 * number, flags=UNORDERED | FIRST_FRAGMENT) for number in range(40 * DATAGRAMS))


async def acknowledge_nothing(exchange: Exchange) -> None:
    """SACKs of what was acknowledged before, 50 in each packet, while the gateway echoes a long text."""
    flood = await SctpFlood.begin(exchange)
    for _ in range(8):
        flood.channel.send_text("x" * 30_000)
    flood.phone.driver.pump()
    await flood.phone.hear(2)
    await flood.send([flood.sack(0, (2, 3), window=0)] * (50 * DATAGRAMS))


async def write_metadata(exchange: Exchange) -> None:
    """Metadata as large as it may be, and then small changes to it."""
    phone = (await SctpFlood.begin(exchange)).phone
    await phone.socket.send(Text(json.dumps({"type": "metadata", "long": "x" * 30_000})))
    await phone.socket.send(Text(json.dumps({"type": "metadata", "longer": "x" * 30_000})))
    for number in range(190):
        await phone.socket.send(Text(json.dumps({"type": "metadata", "short": number})))


async def write_to_a_deaf_agent(exchange: Exchange) -> None:
    """Typed messages by a data channel, to an agent that reads none."""
    flood = await SctpFlood.begin(exchange, "deaf")
    text = json.dumps({"type": "x", "list": [[]] * 4000})
    for _ in range(100):
        flood.channel.send_text(text)
        flood.phone.driver.pump()
        await trio.sleep(0.01)


# By the WebSocket


async def ping(exchange: Exchange) -> None:
    """A thousand pings."""
    phone = await exchange.call("talk")
    async with trio.open_nursery() as nursery:
        for _ in range(1000):
            nursery.start_soon(_ping, phone.socket.connection)


async def _ping(connection: WebSocketConnection) -> None:
    with suppress(ConnectionClosed), trio.move_on_after(PATIENCE):
        await connection.ping()


async def trickle(exchange: Exchange) -> None:
    """Valid candidates of 60 KiB."""
    phone = await exchange.call("talk")
    for number in range(300):
        extension = "x" * 60_000
        line = f"candidate:{number} 1 udp 1 192.0.2.9 {1024 + number} typ host extension {extension}"
        await phone.socket.send(TrickledCandidate(line, "0", 0))


async def offer(exchange: Exchange) -> None:
    """Offers of 48 kB."""
    phone = await exchange.call("talk")
    line = "a=candidate:1 1 udp 1 192.0.2.9 1024 typ host\r\n"
    for _ in range(50):
        await phone.socket.send(Offer(phone.offer + line * 1000))


async def take_messages_of_five_bytes(exchange: Exchange) -> None:
    """A caller whose data channels take five bytes at most, and who is answered with more."""
    phone = exchange.phone()
    await phone.create("talk")
    await phone.open_socket()
    await phone.socket.send(Offer(phone.peer.make_offer().replace("a=max-message-size:262144", "a=max-message-size:5")))
    await phone.take_answer()
    (await open_channel(phone)).send_text("long enough")
    phone.driver.pump()
    await trio.sleep(0.2)


# By HTTP, without credentials


async def send_heads(exchange: Exchange) -> None:
    """Heads of 4,080 fields, which end at once."""
    await _at_once(exchange, b"GET / HTTP/1.1\r\n" + b"a:\r\n" * 4080, end=b"\r\n")


async def send_chunks(exchange: Exchange) -> None:
    """Bodies in chunks of a byte."""
    head = (
        b"POST /api/websession/initiate HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        b"transfer-encoding: chunked\r\n\r\n"
    )
    await _at_once(exchange, head + b"1;x\r\n \r\n" * 4000, end=b"0\r\n\r\n")


async def send_bodies(exchange: Exchange) -> None:
    """Bodies of 60 KiB that are many objects for a parser, and no session."""
    body = b'{"campaignId": "none", "metadata": {"x": [' + b"[]," * 20_000 + b"[]]}}"
    async with trio.open_nursery() as nursery:
        for _ in range(CONNECTIONS):
            nursery.start_soon(_post, exchange, body)


async def _post(exchange: Exchange, body: bytes) -> None:
    path = "/api/websession/initiate"
    connect = exchange.network.connect
    await request(exchange.gateway, "POST", path, body, connect=connect, content_type="application/json")


async def connect_and_wait(exchange: Exchange) -> None:
    """2,005 connections on which nothing is said."""
    for _ in range(2005):
        exchange.nursery.start_soon(_hold, await _connect(exchange))


async def _at_once(exchange: Exchange, beginning: bytes, end: bytes) -> None:
    """Complete a request on many connections together."""
    streams: list[trio.abc.HalfCloseableStream] = []
    try:
        for _ in range(CONNECTIONS):
            streams.append(await _connect(exchange))
        for stream in streams:
            with _until_closed():
                await stream.send_all(beginning)
        async with trio.open_nursery() as nursery:
            for stream in streams:
                nursery.start_soon(_finish, stream, end)
    finally:
        for stream in streams:
            close_at_once(stream)


async def _finish(stream: trio.abc.HalfCloseableStream, end: bytes) -> None:
    with _until_closed(), trio.move_on_after(PATIENCE):
        await stream.send_all(end)
        await stream.receive_some()


async def _hold(stream: trio.abc.HalfCloseableStream) -> None:
    try:
        await trio.sleep_forever()
    finally:
        close_at_once(stream)


async def _connect(exchange: Exchange) -> trio.abc.HalfCloseableStream:
    url = urlsplit(exchange.gateway.url)
    return await exchange.network.connect(url.hostname or "", url.port or 0)


# By UDP


async def send_empty_attributes(exchange: Exchange) -> None:
    """STUN requests of a stranger with 340 empty attributes before anything of use."""
    stranger = await exchange.call("talk")
    attributes = [(0x8000 | number, b"") for number in range(340)]
    for number in range(1000):
        stranger.send_raw(build_stun(MessageClass.REQUEST, number.to_bytes(12), attributes))
        if number % 100 == 99:
            await trio.lowlevel.checkpoint()


async def send_checks(exchange: Exchange) -> None:
    """Authenticated STUN requests, each of which is answered."""
    phone = await exchange.call("talk")
    for number in range(2000):
        phone.send_raw(check(phone, number))
        if number % 500 == 499:
            await trio.lowlevel.checkpoint()


async def change_ssrc(exchange: Exchange) -> None:
    """RTP whose SSRC is another one in each packet."""
    phone = await exchange.call("talk")
    for ssrc in range(2000):
        phone.send_raw(speech(phone, ssrc, 0))
        if ssrc % 100 == 99:
            await trio.lowlevel.checkpoint()


async def send_noise(exchange: Exchange) -> None:
    """Datagrams that mean nothing, from an address that is known."""
    phone = await exchange.call("talk")
    rng = random.Random(9)
    for number in range(3000):
        phone.send_raw(bytes([rng.randrange(20, 200)]) + rng.randbytes(rng.randrange(1200)))
        if number % 100 == 99:
            await trio.lowlevel.checkpoint()


def check(phone: Phone, number: int, *, nominate: bool = False) -> bytes:
    """A connectivity check of the phone's that the gateway takes for one."""
    ufrag, password = (_attribute(phone, name) for name in ("ice-ufrag", "ice-pwd"))
    attributes = [
        (Attribute.USERNAME, f"{ufrag}:{phone.peer.local_ufrags[0]}".encode()),
        (Attribute.PRIORITY, bytes((110, 0, 0, 255))),
        (Attribute.ICE_CONTROLLING, bytes([255] * 8)),
        *([(Attribute.USE_CANDIDATE, b"")] if nominate else []),
    ]
    return build_stun(MessageClass.REQUEST, number.to_bytes(12), attributes, key=password.encode())


def _attribute(phone: Phone, name: str) -> str:
    """Of the answer."""
    found = re.search(f"^a={name}:(\\S+)", phone.socket.of_type(Answer)[-1].sdp, re.MULTILINE)
    assert found
    return found[1]


def speech(phone: Phone, ssrc: int, sequence: int) -> bytes:
    """A loud packet of PCMU, a square wave of 1 kHz, protected."""
    protection = phone.peer.voice.session.protection
    assert protection is not None
    return protection.protect(build_rtp(0, sequence, 160 * sequence, ssrc, (b"\x00" * 4 + b"\x80" * 4) * 20))


ATTACKS: tuple[Attack, ...] = (
    reset_all_streams,
    skip_streams,
    leave_messages_unfinished,
    acknowledge_nothing,
    write_metadata,
    write_to_a_deaf_agent,
    ping,
    trickle,
    offer,
    take_messages_of_five_bytes,
    send_heads,
    send_chunks,
    send_bodies,
    connect_and_wait,
    send_empty_attributes,
    send_checks,
    change_ssrc,
    send_noise,
)
