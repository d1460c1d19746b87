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
from glottis.calls.messenger import GREETING, Messenger, message_of
from glottis.dtls import Certificate
from glottis.peer import ConnectionState, PeerConnection, PeerConnectionEvent, PeerSettings
from glottis.rtp import MEDIA_TICK
from glottis.sctp import BytesReceived, ChannelOpened, DataChannel, TextReceived
from glottis.signaling.messages import ServerMessage, Text, encode_message
from glottis.testing.virtual_network import VirtualNetwork
from glottis.wire.address import Address, Datagram, Path

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


class End:
    """One end of the call on the network: a peer connection that is ticked every 20 ms once ``media`` begins."""

    def __init__(self, network: VirtualNetwork, address: Address) -> None:
        self.connection = PeerConnection(
            PeerSettings((LINEAR,)),
            certificate=Certificate.generate(),
            local_addresses=[address],
            rng=random.Random(address.port),
        )
        self._media: list[Datagram] = []
        self._next_tick: float | None = None
        network.attach(self, address)

    @property
    def is_connected(self) -> bool:
        return self.connection.state is ConnectionState.CONNECTED

    def start_media(self, now: float) -> None:
        self._next_tick = now

    def stop_media(self) -> None:
        self._next_tick = None

    def hear(self, now: float) -> None:
        """A media tick, before speech is sent."""

    def spoke(self) -> None:
        """A media tick has sent something."""

    def handle_event(self, event: PeerConnectionEvent) -> None:
        """What the peer connection tells."""

    def handle_datagram(self, data: bytes, path: Path, now: float) -> None:
        self.connection.handle_datagram(data, path, now)
        self._drain()

    def handle_timeout(self, now: float) -> None:
        if self._next_tick is not None and self._next_tick <= now:
            self._next_tick += MEDIA_TICK
            self.hear(now)
            packets = self.connection.media_to_send(now)
            self._media += packets
            if packets:
                self.spoke()
        self.connection.handle_timeout(now)
        self._drain()

    def next_timeout(self) -> float | None:
        moments = (self.connection.next_timeout(), self._next_tick)
        return min((moment for moment in moments if moment is not None), default=None)

    def datagrams_to_send(self) -> list[Datagram]:
        media, self._media = self._media, []
        return self.connection.datagrams_to_send() + media

    def _drain(self) -> None:
        while (event := self.connection.next_event()) is not None:
            self.handle_event(event)


class CallerEnd(End):
    """The client, which keeps what it gets."""

    def __init__(self, network: VirtualNetwork) -> None:
        super().__init__(network, Address("192.0.2.1", 4000))
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

    def take_signaling(self, message: ServerMessage) -> None:
        if isinstance(message, Text):
            self.messages.append((message.text, None))
        else:
            self.take_text(encode_message(message), None)

    def take_text(self, text: str, label: str | None) -> None:
        message = message_of(text, label)
        if isinstance(message, TypedMessage) and message.type == "event":
            self.events.append((message.data["name"], message.data["data"]))
        else:
            self.messages.append((text, label))


class GatewayEnd(End):
    """The gateway, with the call that the agent is given."""

    def __init__(self, network: VirtualNetwork, caller: CallerEnd) -> None:
        super().__init__(network, Address("192.0.2.2", 5000))
        self.messenger = Messenger(
            send_signaling=caller.take_signaling,
            deliver=lambda message: self.call.push_message(message),
            pump=lambda: None,
        )
        self.scope = trio.CancelScope()
        self.hang_up_reason: str | None = None
        self.call = GatewayCall(
            CallInfo("session", "campaign"),
            sample_rate=RATE,
            voice=self.connection.voice,
            messenger=self.messenger,
            hang_up=self.hang_up,
        )

    def hang_up(self, reason: str) -> None:
        self.hang_up_reason = self.hang_up_reason or reason
        self.end()

    def end(self) -> None:
        """As a session ends: nothing more is sent."""
        self.stop_media()
        self.scope.cancel()

    def hear(self, now: float) -> None:
        self.call.hear(now)

    def spoke(self) -> None:
        self.call.spoke()

    def handle_event(self, event: PeerConnectionEvent) -> None:
        if isinstance(event, ChannelOpened | TextReceived | BytesReceived):
            self.messenger.handle_channel_event(event)


class RealCall:
    """The test's side of it, by the names that ``FakeCall`` has."""

    def __init__(self) -> None:
        self.network = VirtualNetwork()
        self.caller = CallerEnd(self.network)
        self.gateway = GatewayEnd(self.network, self.caller)
        self.ended = trio.Event()
        self._channels: dict[str, DataChannel] = {}

    def connect(self) -> None:
        now = self.network.now
        offer = self.caller.connection.make_offer()
        answer = self.gateway.connection.accept_offer_untrusted(offer, now)
        self.caller.connection.accept_answer_untrusted(answer, now)
        assert self.network.run(lambda: self.caller.is_connected and self.gateway.is_connected)
        for end in (self.caller, self.gateway):
            end.start_media(self.network.now)

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
            self.gateway.messenger.handle_text(message.text)
        else:
            self._channels[message.channel].send_text(message.text)

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
            async with trio.open_nursery() as nursery:
                real.gateway.call.nursery = nursery
                await agent(real.gateway.call)
                await real.gateway.call.drain()
                nursery.cancel_scope.cancel()
        real.gateway.end()
        real.ended.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(real.run)
        nursery.start_soon(converse)
        yield real
        nursery.cancel_scope.cancel()
