"""The two ends of a call on a virtual network: a caller's, and an agent's as the gateway has it."""

import random
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

import trio

from glottis.audio import level_dbfs
from glottis.calls.call import GatewayCall
from glottis.calls.messenger import GREETING
from glottis.calls.streams import Wakeup
from glottis.calls.webrtc_leg import WebRtcLeg
from glottis.contracts.audio import BYTES_PER_SAMPLE, FRAME_SECONDS, AudioFrame
from glottis.contracts.call import Message
from glottis.contracts.info import CallInfo
from glottis.contracts.notes import Topic
from glottis.dtls import Certificate
from glottis.peer import ConnectionState, PeerConnection, PeerSettings
from glottis.rtp import KeyDown, Tone
from glottis.sctp import ChannelState, DataChannel, TextReceived
from glottis.signaling.messages import Answer, Event, Mark, Offer, SignalingMessage, Text, encode_message
from glottis.testing.callers.turns import Spells
from glottis.testing.peers import CALLER, GATEWAY, DrivenPeer, VirtualSocket, VirtualWheel
from glottis.testing.virtual_network import VirtualNetwork
from glottis.wire.address import Address, Datagram, Path

CHANNEL: Final = "chat"
"""By which the caller writes."""
CONNECT_TIMEOUT: Final = 30.0


def connection_of(settings: PeerSettings, address: Address, seed: str) -> PeerConnection:
    """A new one, whose random numbers are the seed's."""
    rng = random.Random(seed)
    return PeerConnection(settings, certificate=Certificate.generate(), local_addresses=[address], rng=rng)


class CallerEnd(DrivenPeer):
    """Says what is queued, and silence else, as a microphone does; keeps when it was loud, here and from the agent."""

    def __init__(self, settings: PeerSettings, network: VirtualNetwork, seed: str) -> None:
        super().__init__(connection_of(settings, CALLER, seed), network)
        self.said, self.listened = Spells(), Spells()
        self.recording: list[tuple[float, AudioFrame]] = []
        """What was heard, with the moments."""
        self.texts: list[str] = []
        """Those of the agent; its events are JSON."""
        self.texts_at: list[float] = []
        """When each came."""
        self.digits = ""
        """Keys that the agent has pressed."""
        self.ticked = Wakeup()
        self.moment = 0.0
        """Of the last media tick."""
        self._rate = settings.sample_rate
        self._silence = bytes(round(self._rate * FRAME_SECONDS) * BYTES_PER_SAMPLE)
        self._frames: deque[bytes] = deque()
        self._seen = 0
        self._channel: DataChannel | None = None

    @property
    def is_speaking(self) -> bool:
        """Whether something is still to be said."""
        return bool(self._frames)

    def say(self, pcm: bytes) -> None:
        """After what was said before; the last frame is filled up with silence."""
        size = len(self._silence)
        self._frames += [pcm[start : start + size].ljust(size, b"\0") for start in range(0, len(pcm), size)]

    def press(self, tones: Sequence[Tone]) -> None:
        """Keys, after what was said."""
        for tone in tones:
            self.connection.voice.write_tone(tone)

    def open_channel(self) -> None:
        """For texts."""
        assert self.connection.channels is not None, "its settings have data channels"
        self._channel = self.connection.channels.open(CHANNEL)
        self.pump()

    @property
    def can_write(self) -> bool:
        """Whether the channel is open."""
        return self._channel is not None and self._channel.state is ChannelState.OPEN

    def write(self, text: str) -> None:
        """By the channel."""
        assert self._channel is not None, "it is opened first"
        self._channel.send_text(text)
        self.pump()

    def hear(self, now: float) -> None:
        """Each media tick: what is written in one was spoken in the frame before it."""
        voice = self.connection.voice
        frame = voice.next_frame(now)
        self.moment = now
        if frame is not None:
            self.recording.append((now, frame))
            self.listened.add(now, now + frame.duration, level_dbfs(frame))
        self.digits += "".join(change.digit for change in voice.next_keys(now) if isinstance(change, KeyDown))
        self._read()
        pcm = self._frames.popleft() if self._frames else self._silence
        voice.write(pcm)
        self.said.add(now - FRAME_SECONDS, now, level_dbfs(AudioFrame(pcm, self._rate)))
        self.ticked.wake()

    def _read(self) -> None:
        new, self._seen = self.events[self._seen :], len(self.events)
        for event in new:
            if isinstance(event, TextReceived) and event.text != GREETING:
                self.take_text(event.text)

    def take_text(self, text: str) -> None:
        """Of the agent."""
        self.texts.append(text)
        self.texts_at.append(trio.current_time())


class AgentEnd:
    """A host of the virtual network with the gateway's own call and leg: a ``LegOwner``, as its sessions are."""

    def __init__(self, settings: PeerSettings, network: VirtualNetwork, seed: str, info: CallInfo) -> None:
        self.network = network
        self.answer = ""
        self.ended = ""
        """How the call has ended otherwise than by the caller."""
        self.errors: list[BaseException] = []
        self.signal: Callable[[str], None] = lambda text: None
        """Told of texts and events that go by no data channel."""
        self.changed = Wakeup()
        """Woken whenever something wants to be sent."""
        self.moved = Wakeup()
        """Woken when time has passed for the network."""
        self.over = trio.Event()
        """Set when the call has ended."""
        self.serving: trio.CancelScope | None = None
        self.connected = False
        self._socket = VirtualSocket()
        self._wheel = VirtualWheel(network)
        self._call: GatewayCall | None = None
        self.leg = WebRtcLeg(
            self,
            connection_of(settings, GATEWAY, seed),
            endpoint=self._socket,
            scheduler=self._wheel,
            clock=lambda: network.now,
        )
        self._call = self.call = GatewayCall(
            info,
            sample_rate=settings.sample_rate,
            voice=self.leg.voice,
            messenger=self.leg.messenger,
            hang_up=self.ends,
            caught_up=self.leg.catch_up,
            sent=lambda message: self.changed.wake(),
            statistics=lambda: self.leg.statistics(network.now),
        )

    def accept(self, offer: str) -> str:
        """The answer."""
        self.leg.handle(Offer(offer), self.network.now)
        return self.answer

    def ends(self, reason: str) -> None:
        """The agent hangs up."""
        self.end(f"the agent has hung up: {reason}")

    def end(self, how: str) -> None:
        """Only the first counts."""
        if not self.ended:
            self.ended = how
            self.over.set()
            if self.serving is not None:
                self.serving.cancel()

    # A host of the network

    def handle_datagram(self, data: bytes, path: Path, now: float) -> None:
        self._socket.dispatch(data, path)

    def handle_timeout(self, now: float) -> None:
        self._wheel.turn(self.leg.driver, now)

    def next_timeout(self) -> float | None:
        return self._wheel.next_timeout()

    def datagrams_to_send(self) -> list[Datagram]:
        outbox, self._socket.outbox = self._socket.outbox, []
        return outbox

    # The owner of a leg

    def state_changed(self, state: ConnectionState, reason: str) -> None:
        if state is ConnectionState.CONNECTED and not self.connected:
            self.connected = True
            self.leg.start_media()
        elif state is ConnectionState.FAILED:
            self.media_lost(reason)

    def says(self, message: SignalingMessage) -> None:
        match message:
            case Answer(sdp):
                self.answer = sdp
            case Text(text):
                self.signal(text)
            case Event():
                self.signal(encode_message(message))

    def received(self, message: Message) -> None:
        self.call.push_message(message)

    def failed(self, error: BaseException) -> None:
        self.errors.append(error)
        self.end("the agent has failed")

    def hear(self, now: float) -> None:
        self.call.hear(now)

    def spoke(self) -> None:
        if self._call is not None:
            self._call.spoke()

    def wants_messages(self) -> bool:
        return self._call is not None and not self._call.messages.is_behind

    def media_lost(self, reason: str) -> None:
        self.end(f"the connection is lost: {reason}")

    def path_found(self) -> None: ...
    def connection_changed(self) -> None: ...
    def notes(self, topic: Topic, sentence: str) -> None: ...
    def takes_audio(self) -> bool:
        return False

    def plays(self, audio: bytes | Mark) -> int:
        return 1

    def stops_playing(self) -> None: ...
    def hung_up(self, reason: str) -> None: ...
    async def room(self) -> None:
        await trio.lowlevel.checkpoint()
