"""Callers in the test's own event loop: glottis' own engines, with every lever in the test's hands."""

import math
import random
import socket
import struct
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol, cast
from urllib.parse import urlsplit

import trio
import trio_websocket
from glottis import CodecSpec
from glottis.calls.webrtc_leg import WebRtcLeg
from glottis.dtls import Certificate
from glottis.media.driver import Endpoint, PeerDriver
from glottis.media.endpoint import UdpEndpoint
from glottis.media.link import Sender
from glottis.media.scheduler import Scheduler
from glottis.media.udp_link import open_udp_socket
from glottis.peer import ConnectionState, ConnectionStateChanged, PeerConnection, PeerConnectionEvent, PeerSettings
from glottis.rtp.session import PacketProtection
from glottis.server.gateway import Gateway
from glottis.server.sessions.session import Session
from glottis.signaling.messages import (
    Answer,
    Bye,
    ClientMessage,
    Error,
    Event,
    Offer,
    ServerMessage,
    encode_message,
    parse_server_message_untrusted,
)
from glottis.wire.address import Address, Datagram, Path

from support.http import Reply, initiate
from support.installed import installed_plugins
from support.patience import PATIENCE

RATE = 16000
TONE = struct.pack("<320h", *(round(8000 * math.sin(2 * math.pi * 440 * i / RATE)) for i in range(320)))
"""20 ms of a tone with a whole number of periods in 50 ms; loud enough to be told from silence by its peak."""
LOUD = 2000
LOOK = 0.005
"""Seconds: as often as the wheel turns."""
CLOSE = 8
"""The opcode of a WebSocket's close frame."""
CONNECTED = ConnectionStateChanged(ConnectionState.CONNECTED)


@cache
def installed_codec(name: str) -> CodecSpec:
    """A codec of the environment."""
    return installed_plugins().codecs.find(name).spec


async def eventually(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Wait until something outside the test's reach has come about; fails after ``seconds``.

    What may pass between two looks is nothing to wait for.
    """
    with trio.fail_after(seconds):
        while not condition():  # noqa: ASYNC110
            await trio.sleep(LOOK)


@dataclass
class Socket:
    """One WebSocket of a client: what came over it, and how it ended."""

    stream: trio.abc.HalfCloseableStream
    connection: trio_websocket.WebSocketConnection
    messages: list[ServerMessage] = field(default_factory=list)
    audio: list[tuple[float, bytes]] = field(default_factory=list)
    """Binary messages, and when they came."""
    closed: tuple[int, str] | None = None
    """Code and reason; 1006 if it just broke."""

    async def send(self, message: ClientMessage | str | bytes) -> None:
        """Send a message, or whatever else."""
        data = message if isinstance(message, str | bytes) else encode_message(message)
        with suppress(trio_websocket.ConnectionClosed):
            await self.connection.send_message(data)

    async def read(self) -> None:
        """Collect messages until the end."""
        try:
            while True:
                self._note(await self.connection.get_message())
        except trio_websocket.ConnectionClosed as closed:
            why = closed.reason
            self.closed = (int(why.code), why.reason or "") if why else (1006, "")
        finally:
            self.cut()

    def _note(self, data: str | bytes) -> None:
        if isinstance(data, bytes):
            self.audio.append((trio.current_time(), data))
        else:
            self.messages.append(parse_server_message_untrusted(data))

    @property
    def heard(self) -> bytes:
        """The binary messages in a row."""
        return b"".join(data for _, data in self.audio)

    async def read_answer(self) -> None:
        """Collect messages up to the answer, and none after it."""
        while not self.of_type(Answer):
            self.messages.append(parse_server_message_untrusted(await self.connection.get_message()))

    async def close(self, code: int | None, reason: str = "") -> None:
        """Send a close frame with this code; without one, as ``close()`` does in browsers."""
        body = b"" if code is None else code.to_bytes(2, "big") + reason.encode()
        await self.send_frame(CLOSE, body)

    async def send_frame(self, opcode: int, payload: bytes) -> None:
        """Send a short frame as it is, past the library; masked with zeros."""
        await self.stream.send_all(bytes([0x80 | opcode, 0x80 | len(payload)]) + bytes(4) + payload)

    def cut(self) -> None:
        """Close the TCP connection without a word."""
        close_at_once(self.stream)

    def reset(self) -> None:
        """The same with a reset, as the kernel does for a process that is killed."""
        if isinstance(self.stream, trio.SocketStream):
            self.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.cut()

    def of_type(self, kind: type[ServerMessage]) -> list[Any]:
        """The messages of one kind that have come."""
        return [message for message in self.messages if isinstance(message, kind)]

    def events(self, name: str) -> list[dict[str, Any]]:
        """The data of the events of this name that have come."""
        return [dict(event.data) for event in self.of_type(Event) if event.name == name]


class PhoneEndpoint(UdpEndpoint):
    """On one socket, which is bound, and by which anything leaves past all bookkeeping."""

    def __init__(self, sock: socket.socket, clock: Callable[[], float] = time.perf_counter) -> None:
        super().__init__([sock], clock)
        self.sendto = sock.sendto


class Cable:
    """What a driver has of its endpoint. ``lets_out`` says what leaves."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.lets_out: Callable[[bytes], bool] = lambda data: True
        self.add_ufrag, self.remove_ufrag = endpoint.add_ufrag, endpoint.remove_ufrag
        self.add_path, self.remove_path = endpoint.add_path, endpoint.remove_path
        self.remove = endpoint.remove
        self._send = endpoint.send

    def send(self, datagram: Datagram, sender: Sender) -> None:
        """Or lose it."""
        if self.lets_out(datagram.data):
            self._send(datagram, sender)


class Phone:
    """One caller. It speaks a tone all the time while it is connected, unless ``speaking`` is False."""

    def __init__(self, exchange: "Exchange", codecs: Sequence[CodecSpec], *, ice_lite: bool) -> None:
        self.exchange = exchange
        self.endpoint = exchange.network.open_endpoint()
        self.cable = Cable(self.endpoint)
        self.peer = PeerConnection(
            PeerSettings(tuple(codecs), sample_rate=RATE, ice_lite=ice_lite),
            certificate=exchange.certificate,
            local_addresses=self.endpoint.addresses,
            rng=exchange.rng,
        )
        self.driver = PeerDriver(
            self.peer,
            endpoint=self.cable,
            scheduler=exchange.scheduler,
            handle_event=self._handle_event,
            handle_error=self._note_error,
            hear=self._tick,
        )
        self.errors: list[BaseException] = []
        """What the phone's own engines have raised."""
        self.events: list[PeerConnectionEvent] = []
        self.sockets: list[Socket] = []
        self.session_id = ""
        self.url = ""
        self.offer = ""
        self.speaking = True
        self._line = trio.CancelScope()
        self.heard = 0
        """Frames with sound in them."""

    async def run(self) -> None:
        """Read the UDP socket until the phone is hung down."""
        with self.endpoint, self._line:
            await self.endpoint.run()

    # Step by step

    async def create(self, campaign: str = "echo", **fields: Any) -> None:
        """Create a session."""
        reply = await self.exchange.post(campaign, **fields)
        assert reply.status == 200, reply.body
        self.session_id, self.url = reply.document["sessionId"], reply.document["websocketUrl"]

    async def open_socket(self, url: str = "", *, read: bool = True, **headers: str) -> Socket:
        """Connect to the session's WebSocket, or to another URL."""
        parts = urlsplit(url or self.url)
        assert parts.hostname
        assert parts.port
        stream = await self.exchange.network.connect(parts.hostname, parts.port)
        try:
            connection = await trio_websocket.wrap_client_stream(
                self.exchange.nursery,
                cast(trio.SocketStream, stream),  # the library takes any
                parts.netloc,
                f"{parts.path}?{parts.query}",
                extra_headers=[(name.encode(), value.encode()) for name, value in headers.items()],
                message_queue_size=16 if read else 0,
            )
        except BaseException:
            close_at_once(stream)
            raise
        socket = Socket(stream, connection)
        self.sockets.append(socket)
        self.exchange.sockets.append(socket)
        if read:
            self.exchange.nursery.start_soon(socket.read)
        return socket

    @property
    def socket(self) -> Socket:
        """The latest WebSocket."""
        return self.sockets[-1]

    async def send_offer(self) -> None:
        """Make an offer and send it."""
        self.offer = self.peer.make_offer()
        self.driver.pump()
        await self.socket.send(Offer(self.offer))

    async def take_answer(self) -> None:
        """Wait for the answer and let ICE begin."""
        await eventually(lambda: self.socket.of_type(Answer) or self.socket.of_type(Error))
        assert not self.socket.of_type(Error), self.socket.of_type(Error)
        self.peer.accept_answer_untrusted(self.socket.of_type(Answer)[-1].sdp, trio.current_time())
        self.driver.pump()

    @property
    def state(self) -> ConnectionState:
        """Of the media connection, as this end sees it."""
        return self.peer.state

    # All at once

    async def connect(self, campaign: str = "echo", **fields: Any) -> None:
        """From nothing to a connection that media flows over."""
        await self.create(campaign, **fields)
        await self.open_socket()
        await self.negotiate()

    async def negotiate(self) -> None:
        """From the open WebSocket to a connection that media flows over."""
        await self.send_offer()
        await self.take_answer()
        await eventually(lambda: CONNECTED in self.events and {"state": "active"} in self.socket.events("state"))

    async def hear(self, frames: int = 3) -> None:
        """Wait until so many more frames with sound have come."""
        target = self.heard + frames
        await eventually(lambda: self.heard >= target)

    async def wait_closed(self, seconds: float = PATIENCE) -> tuple[int, str]:
        """The code and reason that the gateway closes the WebSocket with."""
        await eventually(lambda: self.socket.closed, seconds)
        assert self.socket.closed
        return self.socket.closed

    async def hang_up(self) -> None:
        """Say bye and wait for the end."""
        await self.socket.send(Bye("enough"))
        await self.wait_closed()
        self.hang_down()

    def hang_down(self) -> None:
        """Close the media connection in good order: to the gateway it looks as if a page had been closed."""
        self.driver.close()
        self._line.cancel()

    def vanish(self) -> None:
        """The cable is pulled: TCP is reset, and UDP falls silent."""
        for opened in self.sockets:
            opened.cut()
        self.go_silent()

    def go_silent(self) -> None:
        """No datagram leaves or is read any more."""
        self.cable.lets_out = lambda data: False
        self.hang_down()

    # Raw datagrams, from the address that the gateway has authenticated

    @property
    def path(self) -> Path:
        """From here to the gateway."""
        path = self.peer.transport.selected_path
        assert path
        return path

    def send_raw(self, data: bytes) -> None:
        """Send anything, past the endpoint's bookkeeping."""
        with suppress(OSError):
            self.endpoint.sendto(data, self.path.remote)

    def _note_error(self, error: BaseException) -> None:
        self.errors.append(error)

    def _handle_event(self, event: PeerConnectionEvent) -> None:
        self.events.append(event)
        if event == CONNECTED:
            self.driver.start_media()

    def _tick(self, now: float) -> None:
        frame = self.peer.voice.next_frame(now)
        if frame is not None and max(frame.samples, default=0) > LOUD:
            self.heard += 1
        if self.speaking:
            self.peer.voice.write(TONE)


class Network(Protocol):
    """What lies between phones and their gateway."""

    async def connect(self, host: str, port: int) -> trio.abc.HalfCloseableStream:
        """A connection to the gateway's HTTP port."""

    def open_endpoint(self) -> PhoneEndpoint:
        """For a phone's media."""


class Loopback:
    """This machine's own ``Network``."""

    async def connect(self, host: str, port: int) -> trio.SocketStream:
        """By TCP."""
        return await trio.open_tcp_stream(host, port)

    def open_endpoint(self) -> PhoneEndpoint:
        """Any free port."""
        return PhoneEndpoint(open_udp_socket("127.0.0.1", 0))


class Exchange:
    """What all phones of a test share: a wheel, a certificate and a nursery. Made by ``open_exchange``."""

    def __init__(self, gateway: Gateway, nursery: trio.Nursery, network: "Network") -> None:
        self.gateway = gateway
        self.network = network
        self.nursery = nursery
        self.scheduler = Scheduler()
        self.certificate = Certificate.generate()
        self.rng = random.Random(20)
        self.sockets: list[Socket] = []

    def phone(self, *codecs: CodecSpec, ice_lite: bool = False) -> Phone:
        """A phone with these codecs; without any, with PCMU."""
        phone = Phone(self, codecs or (installed_codec("PCMU"),), ice_lite=ice_lite)
        self.nursery.start_soon(phone.run)
        return phone

    async def call(self, campaign: str = "echo", **fields: Any) -> Phone:
        """A phone in the middle of a call."""
        phone = self.phone()
        await phone.connect(campaign, **fields)
        return phone

    async def post(self, campaign: str = "echo", **fields: Any) -> Reply:
        """See ``initiate``."""
        return await initiate(self.gateway, campaign, connect=self.network.connect, **fields)


@asynccontextmanager
async def open_exchange(gateway: Gateway, network: "Network | None" = None) -> AsyncIterator[Exchange]:
    """Phones for callers of this gateway, on loopback or another network. Leaving the block cuts all of their lines."""
    async with trio.open_nursery() as nursery:
        exchange = Exchange(gateway, nursery, network or Loopback())
        nursery.start_soon(exchange.scheduler.run)
        try:
            yield exchange
        finally:
            nursery.cancel_scope.cancel()
            for opened in exchange.sockets:
                opened.cut()


def close_at_once(stream: trio.abc.HalfCloseableStream) -> None:
    """Without a word, and without waiting."""
    if isinstance(stream, trio.SocketStream):
        stream.socket.close()
    else:
        assert isinstance(stream, trio.StapledStream)
        stream.send_stream.close()
        stream.receive_stream.close()


def webrtc_leg(session: Session | None) -> WebRtcLeg:
    """The leg of a session that has one, and engines on it."""
    assert session is not None
    assert isinstance(session.leg, WebRtcLeg)
    return session.leg


def protection(phone: Phone) -> PacketProtection:
    """What protects the packets of a phone that is connected."""
    protection = phone.peer.voice.session.protection
    assert protection is not None
    return protection


def gateway_address(gateway: Gateway) -> Address:
    """Of the UDP socket."""
    return gateway.endpoint.addresses[0]
