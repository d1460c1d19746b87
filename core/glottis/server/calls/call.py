"""The call that an agent is given: bounded streams above a peer connection."""

import json
import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import trio

from glottis.contracts.audio import BYTES_PER_SAMPLE, AudioFrame, EncodedPacket
from glottis.contracts.call import Call, CallEvent, Heard, Message, TypedMessage
from glottis.contracts.info import CallInfo
from glottis.rtp import MAX_PACKET_DURATION, MAX_PAYLOAD_LENGTH
from glottis.server.calls.inbox import Inbox
from glottis.server.calls.messenger import Messenger
from glottis.server.calls.streams import DroppingStream, Wakeup

MAX_EVENTS = 64
MAX_METADATA = 64 * 1024
"""Characters of JSON that metadata may grow to by messages of the caller: as much as creates a session."""


logger = logging.getLogger(__name__)


class Voice(Protocol):
    """The media side of a peer connection: what the wheel's ticks read and write."""

    @property
    def encoding_name(self) -> str:
        """Of the packets that are sent."""

    @property
    def can_send(self) -> bool:
        """Whether anybody can hear what is written."""

    @property
    def queued(self) -> float:
        """Seconds of speech that wait to be sent."""

    def write(self, pcm: bytes) -> None: ...
    def write_packet(self, packet: EncodedPacket) -> None: ...
    def flush(self) -> Heard: ...
    def next_frame(self, now: float) -> AudioFrame | None: ...
    def next_packets(self, now: float) -> list[EncodedPacket]: ...


@dataclass(frozen=True, slots=True)
class CallLimits:
    """Bounds of the call's queues, in seconds of audio."""

    say_queue: float = 0.2
    audio_queue: float = 0.2
    frame: float = 0.02

    @property
    def audio_frames(self) -> int:
        """How many frames or packets wait for the agent at most."""
        return max(1, round(self.audio_queue / self.frame))


DEFAULT_LIMITS = CallLimits()


class GatewayCall(Call):
    """Pushes from the wheel on one side, the agent's coroutines on the other; ``nursery`` is set before it starts."""

    def __init__(
        self,
        info: CallInfo,
        *,
        sample_rate: int,
        voice: Voice,
        messenger: Messenger,
        hang_up: Callable[[str], None],
        limits: CallLimits = DEFAULT_LIMITS,
    ) -> None:
        self.info = info
        self.sample_rate = sample_rate
        self._voice = voice
        self._messenger = messenger
        self._hang_up = hang_up
        self._limits = limits
        self._audio: DroppingStream[AudioFrame] | None = None
        self._packets: DroppingStream[EncodedPacket] | None = None
        self._messages = Inbox()
        self._events: DroppingStream[CallEvent] = DroppingStream(MAX_EVENTS)
        self._sent = Wakeup()
        self._metadata_is_refused = False
        self._flushes = 0
        self._unwritten = 0.0

    # What the agent calls

    @property
    def audio(self) -> DroppingStream[AudioFrame]:
        """See ``Call.audio``."""
        if self._audio is None:
            self._audio = DroppingStream(self._limits.audio_frames)
        return self._audio

    @property
    def packets(self) -> DroppingStream[EncodedPacket]:
        """See ``Call.packets``."""
        if self._packets is None:
            self._packets = DroppingStream(self._limits.audio_frames)
        return self._packets

    @property
    def messages(self) -> Inbox:
        """See ``Call.messages``."""
        return self._messages

    @property
    def events(self) -> DroppingStream[CallEvent]:
        """See ``Call.events``."""
        return self._events

    async def say(self, audio: AudioFrame | EncodedPacket) -> None:
        """See ``Call.say``."""
        # The queue is bounded, so whoever speaks on and on comes to wait soon: no need to yield here.
        await trio.lowlevel.checkpoint_if_cancelled()
        if isinstance(audio, EncodedPacket):
            self._check_packet(audio)
            if not self._voice.can_send:
                await trio.sleep(audio.duration / audio.clock_rate)
            elif await self._room():
                self._voice.write_packet(audio)
            return
        self._check_frame(audio)
        if not self._voice.can_send or not audio.pcm:
            await trio.sleep(audio.duration)  # as long as it would have sounded
        else:
            await self._say_pcm(audio.pcm)

    def flush(self) -> Heard:
        """See ``Call.flush``."""
        heard = self._voice.flush()
        heard = Heard(heard.sent, heard.dropped + self._unwritten)
        self._flushes += 1
        self._sent.wake()
        return heard

    async def drain(self) -> None:
        """See ``Call.drain``."""
        await trio.lowlevel.checkpoint_if_cancelled()
        while self._voice.queued > 0:
            await self._sent.wait()

    async def send_text(self, text: str, channel: str | None = None) -> None:
        """See ``Call.send_text``."""
        await self._messenger.send_text(text, channel)

    async def send_bytes(self, data: bytes, channel: str | None = None) -> None:
        """See ``Call.send_bytes``."""
        await self._messenger.send_bytes(data, channel)

    async def send_event(self, name: str, data: Mapping[str, Any]) -> None:
        """See ``Call.send_event``."""
        await self._messenger.send_event(name, data)

    def hang_up(self, reason: str = "agent hung up") -> None:
        """See ``Call.hang_up``."""
        self._hang_up(reason)

    # What the session calls

    def hear(self, now: float) -> None:
        """A media tick: fetch what is due from the jitter buffer, as far as the agent listens."""
        if self._audio is not None:
            frame = self._voice.next_frame(now)
            if frame is not None:
                self._audio.push(frame)
        if self._packets is not None:
            for packet in self._voice.next_packets(now):
                self._packets.push(packet)

    def spoke(self) -> None:
        """A media tick has sent something: there may be room again."""
        self._sent.wake()

    def push_message(self, message: Message) -> None:
        """The caller has sent a message; one of the type ``metadata`` also adds to ``info.metadata``."""
        if isinstance(message, TypedMessage) and message.type == "metadata":
            self._add_metadata(message)
        nothing_was_lost = not self._messages.dropped
        self._messages.push(message)
        if nothing_was_lost and self._messages.dropped:
            logger.warning("session %s: the agent reads no messages: the oldest are dropped", self.info.session_id)

    def _add_metadata(self, message: TypedMessage) -> None:
        members = {name: value for name, value in message.data.items() if name != "type"}
        metadata = {**self.info.metadata, **members}
        if len(message.text) <= MAX_METADATA and _json_length(metadata) <= MAX_METADATA:
            self.info = replace(self.info, metadata=metadata)
        elif not self._metadata_is_refused:
            self._metadata_is_refused = True
            logger.warning("session %s: metadata beyond %d characters is ignored", self.info.session_id, MAX_METADATA)

    def push_event(self, name: str, data: Mapping[str, Any]) -> None:
        """Something has happened to the call."""
        self._events.push(CallEvent(name, data))

    async def _say_pcm(self, pcm: bytes) -> None:
        """Write ``pcm`` piece by piece, as the queue has room; ends early when the speech is flushed."""
        bytes_per_second = self.sample_rate * BYTES_PER_SAMPLE
        position = 0
        try:
            while position < len(pcm):
                self._unwritten = (len(pcm) - position) / bytes_per_second
                if not await self._room():
                    return
                samples = max(1, round((self._limits.say_queue - self._voice.queued) * self.sample_rate))
                piece = pcm[position : position + max(samples, self._frame_samples) * BYTES_PER_SAMPLE]
                self._voice.write(piece)
                position += len(piece)
        finally:
            self._unwritten = 0.0

    @property
    def _frame_samples(self) -> int:
        return round(self.sample_rate * self._limits.frame)

    async def _room(self) -> bool:
        """Wait until less than the limit is queued; false if the speech was flushed meanwhile."""
        flushes = self._flushes
        while self._voice.queued >= self._limits.say_queue:
            await self._sent.wait()
            if self._flushes != flushes:
                return False
        return True

    def _check_packet(self, packet: EncodedPacket) -> None:
        if packet.encoding_name.lower() != self._voice.encoding_name.lower():
            raise ValueError(
                f"this call sends {self._voice.encoding_name}, not {packet.encoding_name}: "
                "say packets of the negotiated codec, or audio frames"
            )
        if not 0 < packet.duration <= MAX_PACKET_DURATION * packet.clock_rate:
            raise ValueError(
                f"a packet lasts up to {MAX_PACKET_DURATION:g} s, "
                f"not {packet.duration} units of a clock of {packet.clock_rate} Hz"
            )
        if not 0 < len(packet.payload) <= MAX_PAYLOAD_LENGTH:
            raise ValueError(f"a packet has a payload of 1–{MAX_PAYLOAD_LENGTH} bytes, not {len(packet.payload)}")

    def _check_frame(self, frame: AudioFrame) -> None:
        if frame.sample_rate != self.sample_rate:
            raise ValueError(
                f"this call's sample rate is {self.sample_rate} Hz, the frame's {frame.sample_rate} Hz: "
                "resample, or set AgentSpec.sample_rate"
            )
        if len(frame.pcm) % BYTES_PER_SAMPLE:
            raise ValueError(f"a frame of {len(frame.pcm)} bytes does not hold whole 16-bit samples")


def _json_length(value: Mapping[str, Any]) -> float:
    """In characters; without end for what nests too deeply to be written."""
    try:
        return len(json.dumps(value, ensure_ascii=False))
    except RecursionError:
        return math.inf
