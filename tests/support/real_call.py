"""A gateway's call with everything below it, ICE to data channels, over a virtual network whose time is trio's."""

import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import trio
from glottis import (
    Agent,
    BytesMessage,
    CallInfo,
    CodecSpec,
    EncodedPacket,
    EncoderSettings,
    Malformed,
    Message,
    TypedMessage,
)
from glottis.calls.call import GatewayCall
from glottis.calls.messenger import GREETING
from glottis.calls.typed_messages import message_of
from glottis.calls.webrtc_leg import WebRtcLeg
from glottis.contracts.notes import Topic
from glottis.dtls import Certificate
from glottis.media.driver import PeerDriver
from glottis.peer import ConnectionState, PeerConnection, PeerConnectionEvent, PeerSettings
from glottis.sctp import BytesReceived, ChannelOpened, DataChannel, TextReceived
from glottis.signaling.messages import Answer, Mark, Offer, SignalingMessage, Text, encode_message
from glottis.testing.peers import VirtualSocket, VirtualWheel
from glottis.testing.virtual_network import VirtualNetwork
from glottis.wire.address import Address, Datagram, Path

CALLER = Address("192.0.2.1", 4000)
GATEWAY = Address("192.0.2.2", 5000)
RATE = 16000
STEP = 0.005
"""Seconds of trio's time after which the network is brought up to it."""


class LinearCoder:
    """Encodes and decodes to what it is given, at 16 kHz."""

    def __init__(self, settings: EncoderSettings | int) -> None: ...

    def encode(self, pcm: bytes) -> bytes:
        return pcm

    def decode(self, payload: bytes) -> bytes:
        return payload

    def decode_fec(self, next_payload: bytes, sample_count: int) -> bytes:
        return bytes(2 * sample_count)

    def conceal(self, sample_count: int) -> bytes:
        return bytes(2 * sample_count)

    def set_expected_loss(self, fraction: float) -> None: ...
    def set_bitrate(self, bits_per_second: int) -> None: ...


def duration_untrusted(payload: bytes) -> int:
    if len(payload) % 2:
        raise Malformed("linear: expected whole samples")
    return len(payload) // 2


LINEAR = CodecSpec("linear", RATE, LinearCoder, LinearCoder, duration_untrusted, sample_rates=(RATE,))


class Host:
    """One end of the call on the network; ``drive`` says by what its peer connection is driven."""

    def __init__(self, network: VirtualNetwork) -> None:
        self.socket = VirtualSocket()
        self.wheel = VirtualWheel(network)
        self._network = network
        self._driver: PeerDriver

    def drive(self, driver: PeerDriver, address: Address) -> None:
        self._driver = driver
        self._network.attach(self, address)

    @property
    def is_connected(self) -> bool:
        return self._driver.peer.state is ConnectionState.CONNECTED

    def handle_datagram(self, data: bytes, path: Path, now: float) -> None:
        self.socket.dispatch(data, path)

    def handle_timeout(self, now: float) -> None:
        self.wheel.turn(self._driver, now)

    def next_timeout(self) -> float | None:
        return self.wheel.next_timeout()

    def datagrams_to_send(self) -> list[Datagram]:
        self._driver.pump()  # a test may have called the connection
        outbox, self.socket.outbox = self.socket.outbox, []
        return outbox


def make_connection(address: Address) -> PeerConnection:
    return PeerConnection(
        PeerSettings((LINEAR,)),
        certificate=Certificate.generate(),
        local_addresses=[address],
        rng=random.Random(address.port),
    )


def raise_it(error: BaseException) -> None:
    raise error


class CallerEnd(Host):
    """The client, which keeps what it gets."""

    def __init__(self, network: VirtualNetwork) -> None:
        super().__init__(network)
        self.connection = make_connection(CALLER)
        self.driver = PeerDriver(
            self.connection,
            endpoint=self.socket,
            scheduler=self.wheel,
            handle_event=self.handle_event,
            handle_error=raise_it,
            hear=self.hear,
            clock=lambda: network.now,
        )
        self.drive(self.driver, CALLER)
        self.pcm = bytearray()
        self.packets: list[EncodedPacket] = []
        self.messages: list[tuple[str | bytes, str | None]] = []
        self.events: list[tuple[str, Mapping[str, Any]]] = []
        self.open: set[DataChannel] = set()

    def hear(self, now: float) -> None:
        frame = self.connection.voice.next_frame(now, self.packets)
        self.pcm += frame.pcm if frame is not None else b""

    def handle_event(self, event: PeerConnectionEvent) -> None:
        match event:
            case ChannelOpened(channel):
                self.open.add(channel)
            case TextReceived(channel, text) if text != GREETING:
                self.take_text(text, channel.label)
            case BytesReceived(channel, data):
                self.messages.append((data, channel.label))

    def take_signaling(self, message: SignalingMessage) -> None:
        if isinstance(message, Answer):
            self.connection.accept_answer_untrusted(message.sdp, self._network.now)
        elif isinstance(message, Text):
            self.messages.append((message.text, None))
        else:
            self.take_text(encode_message(message), None)

    def take_text(self, text: str, label: str | None) -> None:
        message = message_of(text, label)
        if isinstance(message, TypedMessage) and message.type == "event":
            self.events.append((message.data["name"], message.data["data"]))
        else:
            self.messages.append((text, label))


class GatewayEnd(Host):
    """The gateway: the owner of a leg, with the call that the agent is given."""

    def __init__(self, network: VirtualNetwork, caller: CallerEnd) -> None:
        super().__init__(network)
        self._caller = caller
        self.leg = WebRtcLeg(
            self, make_connection(GATEWAY), endpoint=self.socket, scheduler=self.wheel, clock=lambda: network.now
        )
        self.scope = trio.CancelScope()
        self.hang_up_reason: str | None = None
        self.call = GatewayCall(
            CallInfo("session", "campaign"),
            sample_rate=RATE,
            voice=self.leg.voice,
            messenger=self.leg.messenger,
            hang_up=self.hang_up,
            caught_up=self.leg.catch_up,
        )
        self.drive(self.leg.driver, GATEWAY)

    def hang_up(self, reason: str) -> None:
        self.hang_up_reason = self.hang_up_reason or reason
        self.end()

    def end(self) -> None:
        """As a session ends: nothing more is sent."""
        self.leg.close()
        self.scope.cancel()

    # See LegOwner

    def state_changed(self, state: ConnectionState, reason: str) -> None:
        """``connect`` waits for it."""

    def media_lost(self, reason: str) -> None:
        self.end()

    def path_found(self) -> None:
        """``state_changed`` comes soon."""

    def connection_changed(self) -> None:
        """It has one."""

    def notes(self, topic: Topic, sentence: str) -> None:
        """Nobody reads it."""

    def says(self, message: SignalingMessage) -> None:
        self._caller.take_signaling(message)

    def received(self, message: Message) -> None:
        self.call.push_message(message)

    def takes_audio(self) -> bool:
        return False

    def plays(self, audio: bytes | Mark) -> int:
        raise AssertionError("audio has a way of its own")

    def stops_playing(self) -> None: ...

    def hung_up(self, reason: str) -> None:
        self.end()

    def failed(self, error: BaseException) -> None:
        raise error

    def hear(self, now: float) -> None:
        self.call.hear(now)

    def spoke(self) -> None:
        self.call.spoke()

    def wants_messages(self) -> bool:
        return not self.call.messages.is_behind

    async def room(self) -> None:
        await trio.lowlevel.checkpoint()


class RealCall:
    """The test's side of it, by the names that ``FakeCall`` has."""

    def __init__(self) -> None:
        self.network = VirtualNetwork()
        self.caller = CallerEnd(self.network)
        self.gateway = GatewayEnd(self.network, self.caller)
        self.ended = trio.Event()
        self._channels: dict[str, DataChannel] = {}

    def connect(self) -> None:
        self.gateway.leg.handle(Offer(self.caller.connection.make_offer()), self.network.now)
        assert self.network.run(lambda: self.caller.is_connected and self.gateway.is_connected)
        self.caller.driver.start_media()
        self.gateway.leg.start_media()

    async def run(self) -> None:
        origin = self.network.now - trio.current_time()
        while True:
            self.network.run(seconds=max(0.0, origin + trio.current_time() - self.network.now))
            await trio.sleep(STEP)

    async def caller_speaks(self, pcm: bytes) -> None:
        self.caller.connection.voice.write(pcm)
        await trio.sleep(len(pcm) / 2 / RATE)

    def caller_opens_channel(self, label: str) -> None:
        channels = self.caller.connection.channels
        assert channels is not None
        channel = self._channels[label] = channels.open(label)
        assert self.network.run(lambda: channel in self.caller.open)

    def caller_writes(self, message: Message) -> None:
        if isinstance(message, BytesMessage):
            self._channels[message.channel].send_bytes(message.data)
        elif message.channel is None:
            self.gateway.leg.messenger.handle_text(message.text)
        else:
            self._channels[message.channel].send_text(message.text)

    async def loses(self, seconds: float) -> None:
        """For a while nothing reaches the caller."""
        self.network.unreachable |= {CALLER}
        await trio.sleep(seconds)
        self.network.unreachable -= {CALLER}

    def caller_hangs_up(self) -> None:
        self.gateway.end()

    @property
    def heard_pcm(self) -> bytes:
        return bytes(self.caller.pcm)

    @property
    def sent_packets(self) -> list[EncodedPacket]:
        return self.caller.packets

    @property
    def sent_messages(self) -> list[tuple[str | bytes, str | None]]:
        return self.caller.messages

    @property
    def sent_events(self) -> list[tuple[str, Mapping[str, Any]]]:
        return self.caller.events

    @property
    def hang_up_reason(self) -> str | None:
        return self.gateway.hang_up_reason


@asynccontextmanager
async def real_call(agent: Agent) -> AsyncIterator[RealCall]:
    """The counterpart of ``fake_call``."""
    real = RealCall()
    real.connect()

    async def converse() -> None:
        with real.gateway.scope:
            await real.gateway.call.converse(agent, real.gateway.failed)
        real.gateway.end()
        real.ended.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(real.run)
        nursery.start_soon(converse)
        yield real
        nursery.cancel_scope.cancel()
